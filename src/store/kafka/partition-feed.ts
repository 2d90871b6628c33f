import {
  type FetchedPartition,
  type FetchedRecord,
  type KafkaDriver,
  KafkaError,
  type TopicPartition,
} from '../../kafka/driver.ts'
import { pause, WakeUps } from '../wake-ups.ts'
import { placeKey } from './names.ts'

/*
 * One long poll for many partitions: whoever follows partitions shares its requests. A partition whose reader is busy
 * is left out until what it has was taken, so a slow handler costs neither memory nor anybody else's time.
 */

const POLL_MS = 200
/** While some partition is left out: its reader may take what it has at any moment. */
const SHORT_POLL_MS = 20
const RETRY_PAUSE_MS = 200
const MAX_WAITING_RECORDS = 1000

export class FeedPartition {
  readonly wakeUps = new WakeUps()
  readonly place: TopicPartition
  nextOffset: number
  #waiting: FetchedRecord[] = []

  constructor(place: TopicPartition, offset: number) {
    this.place = place
    this.nextOffset = offset
  }

  get full(): boolean {
    return this.#waiting.length >= MAX_WAITING_RECORDS
  }

  /** What came since the last call, in order. */
  take(): readonly FetchedRecord[] {
    const taken = this.#waiting
    this.#waiting = []
    return taken
  }

  deliver({ fromOffset, records, nextOffset }: FetchedPartition): void {
    if (fromOffset !== this.nextOffset) return
    this.nextOffset = nextOffset
    // Also for what takes offsets without being a record: who asks how far it is, hears of it.
    if (nextOffset === fromOffset && records.length === 0) return
    this.#waiting.push(...records)
    this.wakeUps.wakeAll()
  }
}

export class PartitionFeed {
  readonly #driver: KafkaDriver
  readonly #partitions = new Map<string, FeedPartition>()
  readonly #changed = new WakeUps()
  readonly #stop = new AbortController()
  readonly #ended: Promise<void>

  constructor(driver: KafkaDriver) {
    this.#driver = driver
    this.#ended = this.#run()
  }

  follow(place: TopicPartition, offset: number): FeedPartition {
    const partition = new FeedPartition(place, offset)
    this.#partitions.set(placeKey(place), partition)
    this.#changed.wakeAll()
    return partition
  }

  unfollow(partition: FeedPartition): void {
    const key = placeKey(partition.place)
    if (this.#partitions.get(key) === partition) this.#partitions.delete(key)
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#ended
  }

  async #run(): Promise<void> {
    const reader = this.#driver.openReader()
    const { signal } = this.#stop
    while (!signal.aborted) {
      const seen = this.#changed.generation
      const wanted = [...this.#partitions.values()].filter((partition) => !partition.full)
      if (this.#partitions.size === 0) await this.#changed.after(seen, { signal })
      else if (wanted.length === 0) await pause(SHORT_POLL_MS, signal)
      else await this.#poll(wanted, (positions) => reader.fetch(positions, { maxWaitMs: this.#waitMs(wanted) }))
    }
    await reader.close()
  }

  #waitMs(wanted: readonly FeedPartition[]): number {
    return wanted.length < this.#partitions.size ? SHORT_POLL_MS : POLL_MS
  }

  async #poll(
    wanted: readonly FeedPartition[],
    fetch: (positions: { topic: string; partition: number; offset: number }[]) => Promise<readonly FetchedPartition[]>,
  ): Promise<void> {
    try {
      const fetched = await fetch(wanted.map(({ place, nextOffset }) => ({ ...place, offset: nextOffset })))
      for (const each of fetched) this.#partitions.get(placeKey(each))?.deliver(each)
    } catch (error) {
      if (error instanceof KafkaError && error.code === 'OFFSET_OUT_OF_RANGE') await this.#returnToRange(wanted)
      await pause(RETRY_PAUSE_MS, this.#stop.signal)
    }
  }

  /** Records that retention deleted cannot be read any more: go on with the first there is. */
  async #returnToRange(partitions: readonly FeedPartition[]): Promise<void> {
    for (const partition of partitions) {
      const earliest = await this.#driver.offsetOf(partition.place, 'earliest').catch(() => 0)
      partition.nextOffset = Math.max(partition.nextOffset, earliest)
    }
  }
}
