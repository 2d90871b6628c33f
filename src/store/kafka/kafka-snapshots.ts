import { partitionOf } from '../../core/murmur2.ts'
import {
  type FetchedPartition,
  type FetchedRecord,
  type KafkaDriver,
  KafkaError,
  type PartitionReader,
} from '../../kafka/driver.ts'
import type { SnapshotTable } from '../snapshots.ts'
import { pause } from '../wake-ups.ts'
import { SNAPSHOT_TOPIC } from './names.ts'
import type { StoreTopics } from './store-topics.ts'

/*
 * Snapshots in a compacted topic, one key per kind and stream. What is kept in memory is where each key's newest record
 * lies; the record is fetched when it is asked for.
 */

const ATTEMPTS = 10
const RETRY_PAUSE_MS = 50
const UTF8 = new TextEncoder()

export class KafkaSnapshots implements SnapshotTable {
  readonly #driver: KafkaDriver
  readonly #topics: StoreTopics
  readonly #partitions = new Map<number, SnapshotIndex>()
  #reader: PartitionReader | undefined

  constructor(driver: KafkaDriver, topics: StoreTopics) {
    this.#driver = driver
    this.#topics = topics
  }

  async load(name: string, stream: string): Promise<string | undefined> {
    const key = keyOf(name, stream)
    return (await this.#index(await this.#partitionOf(key))).load(key)
  }

  async save(name: string, stream: string, text: string): Promise<void> {
    const key = keyOf(name, stream)
    await this.#produce(await this.#partitionOf(key), key, Buffer.from(text))
  }

  async clear(): Promise<void> {
    await this.#topics.ensure([SNAPSHOT_TOPIC])
    const count = this.#topics.partitionCountOf(SNAPSHOT_TOPIC)
    for (let partition = 0; partition < count; partition++) {
      const index = await this.#index(partition)
      for (const key of await index.keys()) await this.#produce(partition, key, null)
    }
  }

  async close(): Promise<void> {
    await this.#reader?.close()
  }

  async #partitionOf(key: string): Promise<number> {
    await this.#topics.ensure([SNAPSHOT_TOPIC])
    return partitionOf(UTF8.encode(key), this.#topics.partitionCountOf(SNAPSHOT_TOPIC))
  }

  async #index(partition: number): Promise<SnapshotIndex> {
    this.#reader ??= this.#driver.openReader()
    const topic = this.#topics.names.physical(SNAPSHOT_TOPIC)
    const index = this.#partitions.get(partition) ?? new SnapshotIndex(this.#driver, this.#reader, { topic, partition })
    this.#partitions.set(partition, index)
    return index
  }

  async #produce(partition: number, key: string, value: Buffer | null): Promise<void> {
    const topic = this.#topics.names.physical(SNAPSHOT_TOPIC)
    const headers = value === null ? {} : { 'content-type': 'application/json' }
    await this.#driver.produce([{ topic, partition, key: Buffer.from(key), value, headers }])
  }
}

interface Place {
  readonly topic: string
  readonly partition: number
}

/** Where the newest snapshots of one partition lie. */
class SnapshotIndex {
  readonly #driver: KafkaDriver
  readonly #reader: PartitionReader
  readonly #place: Place
  readonly #offsets = new Map<string, number>()
  #position = 0
  #running: Promise<void> = Promise.resolve()

  constructor(driver: KafkaDriver, reader: PartitionReader, place: Place) {
    this.#driver = driver
    this.#reader = reader
    this.#place = place
  }

  async load(key: string): Promise<string | undefined> {
    await this.#catchUp()
    const offset = this.#offsets.get(key)
    if (offset === undefined) return undefined
    const { records } = await this.#fetch(offset)
    const [record] = records
    // Compacted away since: a newer one is on its way. It is not worth a wait.
    return record?.offset === offset ? record.value?.toString() : undefined
  }

  async keys(): Promise<readonly string[]> {
    await this.#catchUp()
    return [...this.#offsets.keys()]
  }

  /** One after the other, so that positions only grow. */
  #catchUp(): Promise<void> {
    const run = this.#running.then(() => this.#read())
    this.#running = run.catch(() => {})
    return run
  }

  async #read(): Promise<void> {
    for (let end = this.#position + 1; this.#position < end; ) {
      const fetched = await this.#fetchOn()
      for (const record of fetched.records) this.#take(record)
      this.#position = fetched.nextOffset
      end = fetched.stableOffset
    }
  }

  async #fetchOn(): Promise<FetchedPartition> {
    try {
      return await this.#fetch(this.#position)
    } catch (error) {
      if (!(error instanceof KafkaError) || error.code !== 'OFFSET_OUT_OF_RANGE') throw error
      // The topic was made anew.
      this.#offsets.clear()
      this.#position = await this.#driver.offsetOf(this.#place, 'earliest')
      return this.#fetch(this.#position)
    }
  }

  /** A topic just made has no leader for a moment. */
  async #fetch(offset: number): Promise<FetchedPartition> {
    for (let attempt = 1; ; attempt++) {
      try {
        const [fetched] = await this.#reader.fetch([{ ...this.#place, offset }], { maxWaitMs: 0 })
        if (fetched !== undefined) return fetched
        throw new KafkaError('UNAVAILABLE', 'the snapshot topic has no leader right now')
      } catch (error) {
        const passing = error instanceof KafkaError && error.code === 'UNAVAILABLE'
        if (!passing || attempt === ATTEMPTS) throw error
        await pause(RETRY_PAUSE_MS)
      }
    }
  }

  #take({ key, value, offset }: FetchedRecord): void {
    if (key === null) return
    if (value === null) this.#offsets.delete(key.toString())
    else this.#offsets.set(key.toString(), offset)
  }
}

function keyOf(name: string, stream: string): string {
  return JSON.stringify([name, stream])
}
