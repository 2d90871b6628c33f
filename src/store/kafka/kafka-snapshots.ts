import { partitionOf } from '../../core/murmur2.ts'
import {
  type FetchedPartition,
  type FetchedRecord,
  type KafkaDriver,
  KafkaError,
  type PartitionReader,
} from '../../kafka/driver.ts'
import { LruCache } from '../lru-cache.ts'
import type { SnapshotTable } from '../snapshots.ts'
import { pause } from '../wake-ups.ts'
import { SNAPSHOT_TOPIC } from './names.ts'
import type { StoreTopics } from './store-topics.ts'

/*
 * Snapshots in a compacted topic, one key per kind and stream. What is kept in memory is where each key's newest record
 * lies; the record is fetched when it is asked for, and kept if it is small.
 *
 * K1 A snapshot that another process has replaced since is as true as the new one, and a fold from it only a little
 *    longer. So a fold need not ask the topic first: what was learned in the last second answers it, what is older answers
 *    it while the topic is asked on the side. What this process wrote itself it sees at once.
 */

const FRESH_MS = 1000
const STALE_MS = 30_000
const MAX_KEPT_TEXTS = 64
const MAX_KEPT_CHARACTERS = 64 * 1024
const ATTEMPTS = 10
const RETRY_PAUSE_MS = 50
const UTF8 = new TextEncoder()

type SnapshotDriver = Pick<KafkaDriver, 'openReader' | 'offsetOf' | 'produce'>
type SnapshotTopics = Pick<StoreTopics, 'ensure' | 'partitionCountOf' | 'names'>

export class KafkaSnapshots implements SnapshotTable {
  readonly #driver: SnapshotDriver
  readonly #topics: SnapshotTopics
  readonly #partitions = new Map<number, SnapshotIndex>()
  #reader: PartitionReader | undefined

  constructor(driver: SnapshotDriver, topics: SnapshotTopics) {
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
    this.#partitions.get(partition)?.expire()
  }
}

interface Place {
  readonly topic: string
  readonly partition: number
}

/** Where the newest snapshots of one partition lie. */
class SnapshotIndex {
  readonly #driver: SnapshotDriver
  readonly #reader: PartitionReader
  readonly #place: Place
  readonly #offsets = new Map<string, number>()
  readonly #texts = new LruCache<string, { readonly offset: number; readonly text: string }>(MAX_KEPT_TEXTS)
  #position = 0
  #running: Promise<void> = Promise.resolve()
  #refreshing: Promise<void> | undefined
  #expired = 0
  #freshUntilMs = Number.NEGATIVE_INFINITY

  constructor(driver: SnapshotDriver, reader: PartitionReader, place: Place) {
    this.#driver = driver
    this.#reader = reader
    this.#place = place
  }

  async load(key: string): Promise<string | undefined> {
    await this.#freshEnoughFor(key)
    const offset = this.#offsets.get(key)
    if (offset === undefined) return undefined
    const kept = this.#texts.get(key)
    if (kept?.offset === offset) return kept.text
    const { records } = await this.#fetch(offset)
    const [record] = records
    // Compacted away since: a newer one is on its way. It is not worth a wait.
    const text = record?.offset === offset ? record.value?.toString() : undefined
    if (text !== undefined && text.length <= MAX_KEPT_CHARACTERS) this.#texts.set(key, { offset, text })
    return text
  }

  /** What was known of the partition counts no more. */
  expire(): void {
    this.#expired++
    this.#freshUntilMs = Number.NEGATIVE_INFINITY
  }

  /** K1 */
  async #freshEnoughFor(key: string): Promise<void> {
    const overdueMs = performance.now() - this.#freshUntilMs
    if (overdueMs < 0) return
    if (overdueMs > STALE_MS || !this.#offsets.has(key)) return this.#catchUp()
    this.#refreshing ??= this.#catchUp()
      .catch(() => {}) // who has to wait for it hears of it
      .finally(() => {
        this.#refreshing = undefined
      })
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
    const [begunMs, expired] = [performance.now(), this.#expired]
    for (let end = this.#position + 1; this.#position < end; ) {
      const fetched = await this.#fetchOn()
      for (const record of fetched.records) this.#take(record)
      this.#position = fetched.nextOffset
      end = fetched.stableOffset
    }
    if (expired === this.#expired) this.#freshUntilMs = begunMs + FRESH_MS
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
