import type { KafkaDriver, PartitionReader } from '../../kafka/driver.ts'
import { pause, WakeUps } from '../wake-ups.ts'
import { isOutOfRange, type PartitionLog } from './partition-log.ts'

/*
 * Keeps the replicas of some partitions up to date without being asked, for whoever waits for a version, and for those
 * who read without asking the broker. One long poll for all of them, on connections of its own; silent while nobody
 * needs it.
 */

const POLL_MS = 200
const RETRY_PAUSE_MS = 200

export class EventTail {
  readonly #driver: KafkaDriver
  readonly #topic: string
  readonly #log: (partition: number) => PartitionLog
  readonly #followers = new Map<number, number>()
  readonly #kept = new Set<number>()
  readonly #changed = new WakeUps()
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined

  constructor(driver: KafkaDriver, topic: string, log: (partition: number) => PartitionLog) {
    this.#driver = driver
    this.#topic = topic
    this.#log = log
  }

  async during<T>(partition: number, wait: () => Promise<T>): Promise<T> {
    this.#follow(partition)
    try {
      return await wait()
    } finally {
      const left = (this.#followers.get(partition) ?? 1) - 1
      if (left > 0) this.#followers.set(partition, left)
      else this.#followers.delete(partition)
    }
  }

  /** From now on, until the tail is closed. */
  keepFresh(partition: number): void {
    if (this.#kept.has(partition)) return
    this.#kept.add(partition)
    this.#follow(partition)
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  #follow(partition: number): void {
    this.#followers.set(partition, (this.#followers.get(partition) ?? 0) + 1)
    this.#running ??= this.#run()
    this.#changed.wakeAll()
  }

  async #run(): Promise<void> {
    const reader = this.#driver.openReader()
    const { signal } = this.#stop
    while (!signal.aborted) {
      const seen = this.#changed.generation
      if (this.#followers.size === 0) await this.#changed.after(seen, { signal })
      else await this.#poll(reader)
    }
    await reader.close()
  }

  async #poll(reader: PartitionReader): Promise<void> {
    const positions = [...this.#followers.keys()].map((partition) => ({
      topic: this.#topic,
      partition,
      offset: this.#log(partition).position,
    }))
    try {
      const fetched = await reader.fetch(positions, { maxWaitMs: POLL_MS })
      for (const each of fetched) this.#log(each.partition).take(each)
    } catch (error) {
      await pause(RETRY_PAUSE_MS, this.#stop.signal)
      if (isOutOfRange(error)) await this.#findEach(positions.map(({ partition }) => partition))
    }
  }

  /** One of them lies beyond its log's end: each finds out by itself. */
  async #findEach(partitions: readonly number[]): Promise<void> {
    await Promise.all(
      partitions.map((partition) =>
        this.#log(partition)
          .catchUp()
          .catch(() => {}),
      ),
    )
  }
}
