import type { RecordedEvent } from '../../core/event.ts'
import type { Logger } from '../../core/logger.ts'
import { type FetchedPartition, type FetchedRecord, KafkaError, type PartitionReader } from '../../kafka/driver.ts'
import type { StreamInfo } from '../event-store.ts'
import type { StreamFacts } from '../judge-append.ts'
import { type EventRow, toEvent } from '../sqlite/rows.ts'
import { pause } from '../wake-ups.ts'
import { hasEvent, toIndexedEvent } from './indexed-event.ts'
import type { OwedVersions } from './owed-versions.ts'
import type { Taken } from './partition-feed.ts'
import { type EventMark, type IndexedEvent, type PartitionReplica, ReplicaLost } from './partition-replica.ts'
import { RecentEvents } from './recent-events.ts'
import { claimOf } from './record-codec.ts'
import { ShownEnd } from './shown-end.ts'
import { isOutOfRange, storeClosed } from './store-errors.ts'

/*
 * One partition of the event topic and this process's replica of it.
 *
 * L1 The replica changes by reading the log, or by taking committed records that any reader sees by now and that follow
 *    its position without a gap (read-back.ts).
 * L2 `catchUp` begins its first request after it was called, so it sees every append acknowledged before (an append is
 *    acknowledged when its writer has read it back, that is, when it lies below the last stable offset).
 * L3 `catchUpToEnd` waits for an end that nothing committed lies behind, which a fetch cannot tell: a stranger's open
 *    transaction can hold back its last stable offset, a leader that has just begun its high watermark. Not without limit: what
 *    shows no progress for 15 s is an error that names the partition and its end.
 * L4 A replica from an earlier run counts only when the log has the replica's last event where the replica has it: else
 *    the topic is another one, and the replica begins anew. So it does when the log ends before the replica's position.
 * L5 While a lost replica is filled again, and before L4 is settled, nobody is answered from it: `facts` and `eventAt`
 *    throw, readers wait.
 * L6 Where nothing was read for a while the next read looks first whether the log still has the replica's last event: a topic
 *    that was made anew, and has grown beyond the position since, shows by nothing else.
 * L7 Once closed it asks nothing, takes nothing in and answers nobody: who waits is told, in the middle of a long log, too.
 * L8 Who received a message and then reads finds what it was appended with. The markers of one transaction reach its partitions
 *    one by one, so a message may be readable before its events: a read that does not show what messages in hand tell of goes on
 *    to the high watermark, behind which nothing of their transactions lies.
 */

/** Short, for the reason read-back.ts gives. */
const END_WAIT_MS = 5
const RETRY_PAUSE_MS = 100
const READ_PATIENCE_MS = 15_000
/** No topic is deleted, made anew and filled again in less, while somebody reads it. */
const LOOK_AGAIN_AFTER_MS = 5000
/** Records decoded at a time. */
const PORTION = 1000

export interface PartitionLogOptions {
  readonly topic: string
  readonly logicalTopic: string
  readonly partition: number
  readonly partitionCount: number
  readonly reader: PartitionReader
  readonly replica: PartitionReplica
  readonly logger: Logger
  /** What messages in hand tell of (L8). */
  readonly owed: OwedVersions
  /** The high watermark, from a leader that knows it. */
  readonly askEnd: () => Promise<number>
  /** The streams that have grown, with their versions. */
  readonly onEvents: (streams: ReadonlyMap<string, number>) => void
}

type Portion = Pick<FetchedPartition, 'records' | 'fromOffset' | 'nextOffset'>

export class PartitionLog {
  readonly #replica: PartitionReplica
  readonly #options: PartitionLogOptions
  #running: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined
  /** What the log must have for the replica to be its own (L4). */
  #mark: EventMark | undefined
  /** How far the replica has been: short of it, it is being filled again (L5). */
  #reached = 0
  #caughtUp = false
  /** How often it had to begin anew. */
  #beginnings = 0
  #readAt = performance.now()
  #closed = false
  /** Since somebody follows. */
  #recent: RecentEvents | undefined

  constructor(options: PartitionLogOptions) {
    this.#options = options
    this.#replica = options.replica
    this.#reached = this.#replica.position
    this.#mark = this.#replica.lastEvent()
    // Without an event there is nothing to know the log by, and nothing to lose.
    if (this.#reached > 0 && this.#mark === undefined) this.#forget()
  }

  /** The next offset to read. */
  get position(): number {
    return this.#replica.position
  }

  /** Resolves when the replica has all that was stable when this was called (L2). Callers share requests. */
  catchUp(): Promise<void> {
    this.#next ??= this.#running.then(() => {
      this.#next = undefined
      const run = this.#readAll()
      this.#running = run.catch(() => {})
      return run
    })
    return this.#next
  }

  /** Resolves at once when the replica was caught up before; how old its picture is depends on who keeps it fresh. */
  async catchUpOnce(): Promise<void> {
    if (!this.#caughtUp || this.#isFilling()) await this.catchUp()
  }

  /** Resolves when the replica has all that any earlier writer committed (L3). */
  catchUpToEnd(askEnd: () => Promise<number>): Promise<void> {
    return this.#readUntil(askEnd, END_WAIT_MS)
  }

  /** Resolves when the record at `offset` and its transaction's end have been read. */
  async catchUpPast(offset: number): Promise<void> {
    if (this.position > offset && !this.#isFilling()) return
    // The end of a log that is there no more cannot be reached.
    await this.#readUntil((fetched, anew) => (anew ? fetched.stableOffset : offset + 1), END_WAIT_MS)
  }

  /** What the replica knows of a stream. @throws ReplicaLost while it is being filled again. */
  facts(stream: string): StreamFacts {
    this.#mustBeWhole()
    return this.#replica.facts(stream)
  }

  /** The event that the record is, if every reader of the log counts it as one: the replica has it at this very offset. */
  factOf(record: FetchedRecord): RecordedEvent | undefined {
    this.#mustBeWhole()
    this.#recent ??= new RecentEvents()
    const recent = this.#recent.at(record.offset, record.key)
    if (recent !== undefined) return this.toEvent(recent.row, recent.stream)
    const claim = claimOf(record)
    const [row] = claim === undefined ? [] : this.#replica.rows(claim.stream, claim.sequence, claim.sequence)
    return claim && row?.[0] === record.offset ? this.toEvent(row, claim.stream) : undefined
  }

  /** Why a record that is no fact is none. */
  flawOf(record: FetchedRecord): string {
    const event = toIndexedEvent(record, this.#options)
    return typeof event === 'string' ? event : 'it claims a place in its stream that was not its turn'
  }

  eventAt(stream: string, position: number): RecordedEvent | undefined {
    this.#mustBeWhole()
    const [row] = this.#replica.rows(stream, position, position)
    return row && this.toEvent(row, stream)
  }

  /** At most `to - from + 1` events; a lost replica is waited for. */
  rows(stream: string, from: number, to: number): Promise<readonly EventRow[]> {
    return this.#whenWhole(() => this.#replica.rows(stream, from, to))
  }

  versionOf(stream: string): Promise<number> {
    return this.#whenWhole(() => this.#replica.facts(stream).currentVersion())
  }

  streams(): Iterable<StreamInfo> {
    this.#mustBeWhole()
    return this.#replica.streams()
  }

  toEvent(row: EventRow, stream: string): RecordedEvent {
    const { logicalTopic: topic, partition } = this.#options
    return toEvent(row, stream, { topic, partition })
  }

  /** Takes in what somebody fetched, from here or from before; never leaves a hole. `until`: how far it will go on at once. */
  take(fetched: Portion, until = 0): void {
    if (this.#closed || this.#mark !== undefined || fetched.fromOffset > this.position) return
    this.#take(fetched, until)
    this.#readAt = performance.now()
  }

  /** What a feed read anyway is not read again, where it follows and this is certainly the log the replica is of (L6). */
  offer({ fromOffset, ...rest }: Taken): void {
    if (fromOffset === undefined || performance.now() - this.#readAt > LOOK_AGAIN_AFTER_MS) return
    this.#takeUnlessLost({ fromOffset, ...rest })
  }

  /** The log has nothing at the replica's position: it is another log, or lost what it had. */
  startOver(reason: string): void {
    const { topic, partition, logger } = this.#options
    const fields = { topic, partition, position: this.position, reason }
    logger.error(fields, `What was known of a partition is not in its log any more (${reason}); reading it anew`)
    this.#forget()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#replica.close()
  }

  #forget(): void {
    this.#replica.clear()
    this.#recent?.clear()
    this.#mark = undefined
    this.#reached = 0
    this.#caughtUp = false
    this.#beginnings++
  }

  /** In portions, so that little of it is in memory in its decoded form at a time. */
  #take({ records, nextOffset }: Portion, until: number): void {
    const { position } = this
    const fresh = records.filter(({ offset }) => offset >= position)
    for (let start = 0; start < fresh.length || start === 0; start += PORTION) {
      const portion = fresh.slice(start, start + PORTION)
      const after = fresh[start + PORTION]?.offset ?? nextOffset
      this.#takePortion(portion, after, after < until)
    }
  }

  #takePortion(records: readonly FetchedRecord[], nextOffset: number, more: boolean): void {
    const events: IndexedEvent[] = []
    const flaws = new Map<FetchedRecord, string>()
    for (const record of records) {
      const event = toIndexedEvent(record, this.#options)
      if (typeof event === 'string') flaws.set(record, event)
      else events.push(event)
    }
    const refused = this.#replica.take(events, nextOffset, more)
    this.#reached = Math.max(this.#reached, this.position)
    this.#report(records, flaws, refused)
    this.#announce(events, refused)
  }

  #announce(events: readonly IndexedEvent[], refused: ReadonlyMap<number, string>): void {
    const grown = new Map<string, number>()
    for (const event of events) {
      if (refused.has(event.row[0])) continue
      grown.set(event.stream, event.row[9])
      this.#recent?.add(event)
    }
    if (grown.size > 0) this.#options.onEvents(grown)
  }

  /** In the order of the log. */
  #report(
    records: readonly FetchedRecord[],
    flaws: ReadonlyMap<FetchedRecord, string>,
    refused: ReadonlyMap<number, string>,
  ): void {
    if (flaws.size === 0 && refused.size === 0) return
    const { topic, partition, logger } = this.#options
    for (const record of records) {
      const { offset, key } = record
      const reason = flaws.get(record) ?? refused.get(offset)
      if (reason === undefined) continue
      const fields = { topic, partition, offset, key: key?.toString(), reason }
      logger.warn(fields, `Skipped a record that is no event: ${reason}`)
    }
  }

  async #whenWhole<T>(ask: () => T): Promise<T> {
    for (;;) {
      try {
        this.#mustBeWhole()
        return ask()
      } catch (error) {
        if (!(error instanceof ReplicaLost)) throw error
        await this.catchUp()
      }
    }
  }

  #mustBeOpen(): void {
    if (this.#closed) throw storeClosed()
  }

  #mustBeWhole(): void {
    this.#mustBeOpen()
    if (this.#isFilling()) throw new ReplicaLost('The replica is being filled again from the log')
  }

  #isFilling(): boolean {
    return this.#mark !== undefined || this.position < this.#reached
  }

  async #readAll(): Promise<void> {
    await this.#readUntil(stableEnd, 0)
    const { owed, askEnd } = this.#options
    const missing = owed.take((stream) => this.#shownVersion(stream))
    if (missing === undefined) return
    try {
      await this.catchUpToEnd(askEnd)
    } catch (error) {
      owed.putBack(missing)
      throw error
    }
  }

  /** A replica that is lost just now shows nothing: it is filled again on the way to the end. */
  #shownVersion(stream: string): number {
    try {
      return this.#replica.facts(stream).currentVersion()
    } catch (error) {
      if (error instanceof ReplicaLost) return 0
      throw error
    }
  }

  /** While one part is taken in, the next one is on its way. */
  async #readUntil(target: Target, maxWaitMs: number): Promise<void> {
    if (this.#mark !== undefined) await this.#prove(this.#mark)
    else if (performance.now() - this.#readAt > LOOK_AGAIN_AFTER_MS) await this.#lookAgain()
    let begun = this.#beginnings
    let fetched = await this.#fetch(0) // who is at the end already must not wait for more
    let until = await target(fetched, false)
    const shown = new ShownEnd(this.#options)
    while (this.position < until) {
      const ahead = this.#follows(fetched, until) ? this.#fetch(maxWaitMs, fetched.nextOffset) : undefined
      ahead?.catch(() => {})
      this.#takeUnlessLost(fetched, until)
      if (this.position >= until) break
      shown.progress(this.position, until)
      fetched = await (ahead ?? this.#fetch(maxWaitMs))
      if (begun === this.#beginnings) continue
      begun = this.#beginnings
      until = await target(fetched, true)
    }
    this.#caughtUp = true
    this.#readAt = performance.now()
  }

  /** There is more, and this will be taken in. */
  #follows({ fromOffset, nextOffset }: FetchedPartition, until: number): boolean {
    return fromOffset <= this.position && nextOffset > this.position && nextOffset < until
  }

  #takeUnlessLost(fetched: Portion, until = 0): void {
    try {
      this.take(fetched, until)
    } catch (error) {
      if (!(error instanceof ReplicaLost)) throw error
    }
  }

  /** L4 */
  async #prove(mark: EventMark): Promise<void> {
    const fetched = await this.#fetch(0, mark.offset)
    if (this.#mark !== mark) return
    if (!hasEvent(fetched, mark)) return this.startOver(OTHER_RECORD)
    this.#mark = undefined
    this.#takeUnlessLost(fetched)
  }

  /** L6. Nobody else has to wait for it (L5): it was whole, and hardly ever is not. */
  async #lookAgain(): Promise<void> {
    const mark = this.#replica.lastEvent()
    const begun = this.#beginnings
    if (mark === undefined) return
    const { topic, partition, reader } = this.#options
    const place = { topic, partition, offset: mark.offset }
    // One that has gone by its retention tells nothing; a broker that is away is waited for by the read itself.
    const [fetched] = await reader.fetch([place], { maxWaitMs: 0 }).catch(() => [])
    if (fetched === undefined || begun !== this.#beginnings) return
    if (hasEvent(fetched, mark)) this.#takeUnlessLost(fetched)
    else this.startOver(OTHER_RECORD)
  }

  async #fetch(maxWaitMs: number, from?: number): Promise<FetchedPartition> {
    const { topic, partition, reader } = this.#options
    const deadline = performance.now() + READ_PATIENCE_MS
    for (;;) {
      this.#mustBeOpen()
      const offset = from ?? this.position
      try {
        const [fetched] = await reader.fetch([{ topic, partition, offset }], { maxWaitMs })
        this.#mustBeOpen()
        if (fetched !== undefined) return fetched
      } catch (error) {
        if (isOutOfRange(error) && offset > 0) {
          this.startOver('the log ends before it')
          from = undefined
          continue
        }
        const passing = error instanceof KafkaError && error.code === 'UNAVAILABLE'
        if (!passing || performance.now() > deadline) throw error
      }
      await pause(RETRY_PAUSE_MS)
    }
  }
}

/** How far to read, asked at the start and whenever it begins anew. */
type Target = (fetched: FetchedPartition, anew: boolean) => number | Promise<number>

const stableEnd: Target = ({ stableOffset }) => stableOffset

const OTHER_RECORD = 'another record stands where its last event was'
