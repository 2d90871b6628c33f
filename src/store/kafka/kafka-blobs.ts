import { partitionOf } from '../../core/murmur2.ts'
import { reach } from '../../core/reach.ts'
import { type FetchedRecord, type KafkaDriver, KafkaError, type PartitionReader } from '../../kafka/driver.ts'
import type { BlobReference, BlobStore } from '../blobs.ts'
import { pause } from '../wake-ups.ts'
import { BLOB_TOPIC } from './names.ts'
import type { StoreTopics } from './store-topics.ts'

/*
 * Blobs in a topic that forgets nothing: each in chunks, records of one key, numbered. Where the partition ended before
 * the first chunk was sent is the blob's place: its chunks lie behind it, perhaps between those of others.
 */

const CHUNK_BYTES = 512 * 1024
const ATTEMPTS = 20
const RETRY_PAUSE_MS = 50
const LOCATION = /^(\d{1,6})\.(\d{1,16})$/

export class KafkaBlobs implements BlobStore {
  readonly #driver: KafkaDriver
  readonly #topics: StoreTopics

  constructor(driver: KafkaDriver, topics: StoreTopics) {
    this.#driver = driver
    this.#topics = topics
  }

  async put(sha256: string, bytes: Uint8Array): Promise<string> {
    await this.#topics.ensure([BLOB_TOPIC])
    const key = Buffer.from(sha256)
    const topic = this.#topics.names.physical(BLOB_TOPIC)
    const partition = partitionOf(key, this.#topics.partitionCountOf(BLOB_TOPIC))
    const from = await this.#driver.offsetOf({ topic, partition }, 'latest')
    const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let index = 0; index * CHUNK_BYTES < data.length; index++) {
      const value = data.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES)
      const headers = { 'content-type': 'application/octet-stream', 'duolog-chunk': String(index) }
      await this.#driver.produce([{ topic, partition, key, value, headers }])
      reach('kafka.blob.chunk')
    }
    return `${partition}.${from}`
  }

  async get(reference: BlobReference): Promise<Uint8Array | undefined> {
    const [, partition, from] = LOCATION.exec(reference.location) ?? []
    if (partition === undefined) return undefined
    await this.#topics.ensure([BLOB_TOPIC])
    const place = { topic: this.#topics.names.physical(BLOB_TOPIC), partition: Number(partition) }
    const end = await this.#driver.offsetOf(place, 'latest')
    const earliest = await this.#driver.offsetOf(place, 'earliest')
    const reader = this.#driver.openReader()
    try {
      return await collect(reader, { ...place, from: Math.max(Number(from), earliest), end }, reference)
    } finally {
      await reader.close()
    }
  }
}

interface Span {
  readonly topic: string
  readonly partition: number
  readonly from: number
  readonly end: number
}

async function collect(reader: PartitionReader, span: Span, { sha256, size }: BlobReference) {
  const chunks: Buffer[] = []
  let missing = Math.ceil(size / CHUNK_BYTES)
  for (let offset = span.from; offset < span.end && missing > 0; ) {
    const { records, nextOffset } = await fetch(reader, { ...span, offset })
    for (const record of records) {
      const index = indexOf(record, sha256)
      if (index === undefined || chunks[index] !== undefined) continue
      chunks[index] = record.value ?? Buffer.alloc(0)
      missing--
    }
    offset = nextOffset
  }
  return missing > 0 ? undefined : Buffer.concat(chunks)
}

function indexOf({ key, headers }: FetchedRecord, sha256: string): number | undefined {
  if (key?.toString() !== sha256) return undefined
  const index = Number(headers['duolog-chunk']?.toString() ?? Number.NaN)
  return Number.isSafeInteger(index) && index >= 0 ? index : undefined
}

async function fetch(reader: PartitionReader, { topic, partition, offset }: Span & { readonly offset: number }) {
  for (let attempt = 1; ; attempt++) {
    try {
      const [fetched] = await reader.fetch([{ topic, partition, offset }], { maxWaitMs: RETRY_PAUSE_MS })
      if (fetched !== undefined) return fetched
    } catch (error) {
      if (!(error instanceof KafkaError) || error.code !== 'UNAVAILABLE' || attempt === ATTEMPTS) throw error
    }
    await pause(RETRY_PAUSE_MS)
  }
}
