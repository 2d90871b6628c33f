import type { Logger } from '../../core/logger.ts'
import type { KafkaDriver } from '../../kafka/driver.ts'
import { WakeUps } from '../wake-ups.ts'
import type { PartitionLog } from './partition-log.ts'
import { type Polled, SharedPoll } from './shared-poll.ts'

/*
 * Keeps the replicas of some partitions up to date without being asked, for whoever waits for a version, and for those
 * who read without asking the broker. One long poll for all of them, on connections of its own; silent while nobody
 * needs it.
 */

/** At most so long after it a version is told of: a cancelled call has to end within a second (process-group.ts). */
export const POLL_MS = 200

export interface TailOptions {
  readonly driver: KafkaDriver
  readonly logger: Logger
  readonly topic: string
  readonly log: (partition: number) => PartitionLog
}

export class EventTail {
  readonly #options: TailOptions
  readonly #followers = new Map<number, number>()
  readonly #kept = new Set<number>()
  /** Left by their last follower: one poll more, since who waited for a version soon waits for the next. */
  readonly #left = new Set<number>()
  /** What the poll under way asks for. */
  #asked: ReadonlySet<number> = new Set()
  readonly #changed = new WakeUps()
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined

  constructor(options: TailOptions) {
    this.#options = options
  }

  async during<T>(partition: number, wait: () => Promise<T>): Promise<T> {
    this.#follow(partition)
    try {
      return await wait()
    } finally {
      const left = (this.#followers.get(partition) ?? 1) - 1
      if (left > 0) this.#followers.set(partition, left)
      else this.#leave(partition)
    }
  }

  /** A poll under way shows what comes to the partition: who follows from now on misses nothing. */
  shows(partition: number): boolean {
    return this.#asked.has(partition)
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

  #leave(partition: number): void {
    this.#followers.delete(partition)
    this.#left.add(partition)
  }

  #follow(partition: number): void {
    this.#left.delete(partition)
    this.#followers.set(partition, (this.#followers.get(partition) ?? 0) + 1)
    this.#running ??= this.#run()
    this.#changed.wakeAll()
  }

  async #run(): Promise<void> {
    const { driver, logger } = this.#options
    const poll = new SharedPoll(driver, logger, () => this.#changed.wakeAll())
    const { signal } = this.#stop
    while (!signal.aborted) {
      const seen = this.#changed.generation
      const together = [...this.#followers.keys(), ...this.#left]
        .map((partition) => this.#polled(partition))
        .filter((each) => poll.has(each))
      if (together.length === 0) await this.#changed.after(seen, { signal })
      else await this.#poll(poll, together)
    }
    await poll.close()
  }

  async #poll(poll: SharedPoll, together: readonly Polled[]): Promise<void> {
    this.#asked = new Set(together.map(({ place }) => place.partition))
    this.#left.clear()
    await poll.fetch(together, POLL_MS)
    this.#asked = new Set()
  }

  #polled(partition: number): Polled {
    const { topic } = this.#options
    const log = this.#options.log(partition)
    const followers = this.#followers
    return {
      place: { topic, partition },
      get isWanted() {
        return followers.has(partition)
      },
      get nextOffset() {
        return log.position
      },
      deliver: (fetched) => log.take(fetched),
      // Beyond its log's end: it finds out by itself.
      outOfRange: () => log.catchUp(),
    }
  }
}
