import type { Logger } from '../../core/logger.ts'
import type { FetchedPartition, FetchedRecord, KafkaDriver, KafkaError, TopicPartition } from '../../kafka/driver.ts'
import { pause, WakeUps } from '../wake-ups.ts'
import { placeKey } from './names.ts'
import { type Polled, SharedPoll } from './shared-poll.ts'
import { toStoreError } from './store-errors.ts'

/*
 * One long poll for many partitions: whoever follows partitions shares its requests. A partition whose reader is busy
 * is left out until what it has was taken, so a slow handler costs neither memory nor anybody else's time.
 *
 * F1 Nothing is passed over in silence: what was deleted before it was read is said, with its offsets; a place behind the
 *    end of the log ends its reader.
 */

const POLL_MS = 200
/** While some partition is left out: its reader may take what it has at any moment. */
const SHORT_POLL_MS = 20
const MAX_WAITING_RECORDS = 1000

/** What a feed and its partitions need. */
export interface FeedTools {
  readonly driver: KafkaDriver
  readonly logger: Logger
}

/** What came, in order; without `fromOffset` something is missing before it. */
export interface Taken {
  readonly records: readonly FetchedRecord[]
  readonly fromOffset: number | undefined
  readonly nextOffset: number
}

export class FeedPartition implements Polled {
  readonly wakeUps = new WakeUps()
  readonly place: TopicPartition
  nextOffset: number
  isWanted = true
  readonly #tools: FeedTools
  #waiting: FetchedRecord[] = []
  #waitingFrom: number | undefined
  #trouble: KafkaError | undefined
  #end: number | undefined

  constructor(place: TopicPartition, offset: number, tools: FeedTools) {
    this.place = place
    this.nextOffset = offset
    this.#waitingFrom = offset
    this.#tools = tools
  }

  /** Not to be asked for: its reader has enough, or ends. */
  get rests(): boolean {
    return this.#waiting.length >= MAX_WAITING_RECORDS || this.#end !== undefined
  }

  /** Where the partition ends, when that was found to be before the next offset: then nothing more will come. */
  get endBefore(): number | undefined {
    return this.#waiting.length === 0 ? this.#end : undefined
  }

  /** What came since the last call. @throws once what keeps it from being read */
  take(): Taken {
    const trouble = this.#trouble
    this.#trouble = undefined
    if (trouble !== undefined) throw toStoreError(trouble)
    const taken = { records: this.#waiting, fromOffset: this.#waitingFrom, nextOffset: this.nextOffset }
    this.#waiting = []
    this.#waitingFrom = this.nextOffset
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

  /** What passes is waited for, and logged where it takes long; all else its reader hears of. */
  tell(error: KafkaError): boolean {
    if (error.code === 'UNAVAILABLE') return false
    this.#trouble = error
    this.wakeUps.wakeAll()
    return true
  }

  /** F1 */
  async outOfRange(): Promise<void> {
    const { driver, logger } = this.#tools
    const from = this.nextOffset
    const earliest = await driver.offsetOf(this.place, 'earliest')
    const end = await driver.offsetOf(this.place, 'latest')
    if (from > end) {
      this.#end = end
      this.wakeUps.wakeAll()
    } else if (from < earliest) {
      const fields = { ...this.place, from, to: earliest - 1 }
      logger.warn(fields, `Records were deleted before they were read (retention?); going on at offset ${earliest}`)
      this.nextOffset = earliest
      this.#waitingFrom = undefined
    }
  }
}

export class PartitionFeed {
  readonly #tools: FeedTools
  readonly #partitions = new Map<string, FeedPartition>()
  readonly #changed = new WakeUps()
  readonly #stop = new AbortController()
  readonly #poll: SharedPoll
  readonly #ended: Promise<void>

  constructor(tools: FeedTools) {
    this.#tools = tools
    this.#poll = new SharedPoll(tools.driver, tools.logger, () => this.#changed.wakeAll())
    this.#ended = this.#run()
  }

  follow(place: TopicPartition, offset: number): FeedPartition {
    const partition = new FeedPartition(place, offset, this.#tools)
    this.#partitions.set(placeKey(place), partition)
    this.#changed.wakeAll()
    return partition
  }

  unfollow(partition: FeedPartition): void {
    partition.isWanted = false
    const key = placeKey(partition.place)
    if (this.#partitions.get(key) === partition) this.#partitions.delete(key)
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#ended
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      const seen = this.#changed.generation
      const together = [...this.#partitions.values()].filter((partition) => this.#poll.has(partition))
      const wanted = together.filter((partition) => !partition.rests)
      if (together.length === 0) await this.#changed.after(seen, { signal })
      else if (wanted.length === 0) await pause(SHORT_POLL_MS, signal)
      else await this.#poll.fetch(wanted, wanted.length < together.length ? SHORT_POLL_MS : POLL_MS)
    }
    await this.#poll.close()
  }
}
