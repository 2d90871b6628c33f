import type { Clock } from '../core/clock.ts'
import type { DuologError } from '../core/errors.ts'
import type { AnyEvent } from '../core/event.ts'
import { isRecordedEvent, type RecordedEvent } from '../core/event.ts'
import { reach } from '../core/reach.ts'
import type { Consumer, EventStore, PartitionPosition } from '../store/event-store.ts'
import { pause, pauseBy, WakeUps } from '../store/wake-ups.ts'
import { isOwnFact } from './own-facts.ts'
import type { ProcessEvent } from './process-events.ts'
import type { Projected } from './projection.ts'
import { type PendingTimer, TimerIndex } from './timer-index.ts'
import { markAhead, readTimerMark, writeTimerMark } from './timer-mark.ts'

/*
 * Fires the timers of a process manager: reads its streams from the partition's mark, keeps what is pending, and tells
 * when one is due. The instances share the partitions (docs/decisions/0007-timers-by-a-mark.md).
 *
 * T1 That a timer fires once is not decided here but by the process: `fire` of one that fired or was cancelled does nothing.
 * T2 A partition's timers fire only when it was read to where it ended when it was taken: what fired long ago is known.
 * T3 A mark never passes a pending timer: whoever takes the partition next, after whatever crash, finds every one.
 */

export interface TimerServiceOptions<E extends AnyEvent> {
  readonly store: EventStore<E>
  readonly group: string
  /** The process manager's name. */
  readonly manager: string
  readonly eventTopic: string
  /** What the streams of the process manager start with. */
  readonly prefix: string
  /** The stream that keeps the mark of a partition. */
  readonly markStream: (partition: number) => string
  readonly clock: Clock
  /** Fires it; answers when it is due if it is still pending. */
  readonly fire: (timer: PendingTimer) => Promise<number | undefined>
  /** Schedules it once more at the log's end; nothing to do when it is pending no more. */
  readonly carry: (timer: PendingTimer) => Promise<void>
  readonly onError: (error: unknown) => void
  /** A start reads so many events per partition or ten times its pending timers, about, at most. */
  readonly maxReadBack: number
  /** How many events a mark may lag behind what it could be; a start reads so many more than need be. */
  readonly markEvery: number
}

interface Partition {
  readonly number: number
  readonly timers: TimerIndex
  readonly end: number
  caughtUp: boolean
  /** The next offset to hear. */
  next: number
  heard: number
  mark: number
  /** Behind the last event that is no mark. */
  worthAMark: number
  marking: boolean
  carrying: boolean
}

const FIRED_TOGETHER = 256
const CARRIED_TOGETHER = 64
const LOOK_AT_MARK_EVERY = 256
/** The clock is looked at this often, also when nothing is due: it may be set. */
const LONGEST_PAUSE_MS = 250
const RETRY_PAUSE_MS = 1000

export class TimerService<E extends AnyEvent> {
  readonly ready: Promise<void>
  readonly ended: Promise<DuologError | undefined>
  readonly #options: TimerServiceOptions<E>
  readonly #partitions = new Map<number, Partition>()
  readonly #changed = new WakeUps()
  readonly #stopping = new AbortController()
  readonly #consumer: Consumer
  readonly #working = new Set<Promise<void>>()

  constructor(options: TimerServiceOptions<E>) {
    this.#options = options
    this.#consumer = options.store.consume({
      group: options.group,
      topics: [options.eventTopic],
      checkpoints: { load: (_, partition) => this.#load(partition), caughtUp: (position) => this.#caughtUp(position) },
      onTaken: ({ partition, signal }) => this.#forgetWith(partition, signal),
      handler: async (message, { signal }) => this.#hear(message, signal),
      // What cannot be read is not ours: the process manager's own events are in every catalogue it works with.
      unreadable: async () => {},
      onError: options.onError,
    })
    this.ready = this.#consumer.ready
    this.#stopping.signal.addEventListener('abort', () => this.#changed.wakeAll())
    this.ended = this.#run().then(() => this.#consumer.ended)
    // A store that closes ends this, too: nothing may keep the process alive after it.
    void this.#consumer.ended.then(() => this.#stopping.abort())
  }

  get pendingCount(): number {
    return [...this.#partitions.values()].reduce((sum, { timers }) => sum + timers.size, 0)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#consumer.stop()
    await this.ended
  }

  async #load(number: number): Promise<number> {
    const { store, eventTopic, markStream } = this.#options
    const ends = await store.partitionEnds(eventTopic)
    const end = ends.find((place) => place.partition === number)?.offset ?? 0
    const mark = await readTimerMark(store, markStream(number))
    if (mark > end) throw markAhead(eventTopic, number, { mark, end })
    const timers = new TimerIndex()
    const partition: Partition = {
      number,
      timers,
      end,
      mark,
      next: mark,
      heard: 0,
      worthAMark: 0,
      caughtUp: false,
      marking: false,
      carrying: false,
    }
    this.#partitions.set(number, partition)
    return mark
  }

  /** Its next owner keeps an eye on them. */
  #forgetWith(number: number, signal: AbortSignal): void {
    const partition = this.#partitions.get(number)
    signal.addEventListener('abort', () => {
      if (partition !== undefined && this.#partitions.get(number) === partition) this.#partitions.delete(number)
    })
  }

  async #caughtUp({ partition: number, offset }: PartitionPosition): Promise<void> {
    const partition = this.#partitions.get(number)
    if (partition === undefined || offset < partition.end) return
    partition.next = Math.max(partition.next, offset)
    partition.caughtUp = true
    this.#moveMark(partition)
    this.#changed.wakeAll()
  }

  #hear(message: Projected<E>, signal: AbortSignal): void {
    const partition = this.#partitions.get(message.partition)
    if (partition === undefined || signal.aborted) return
    partition.next = message.offset + 1
    if (!isMark(message)) partition.worthAMark = partition.next
    if (isRecordedEvent(message) && message.stream.startsWith(this.#options.prefix)) {
      if (TIMER_EVENTS.has(message.type)) this.#note(partition, message as unknown as TimerEvent)
    }
    // Counted, not by offset: on Kafka many a partition has no record at any multiple of that.
    if (++partition.heard % LOOK_AT_MARK_EVERY === 0) this.#moveMark(partition)
  }

  #note({ timers, caughtUp }: Partition, event: TimerEvent): void {
    const { stream, offset } = event
    if (event.type === 'TimerScheduled') timers.add({ stream, offset, ...event.data })
    else timers.remove({ stream, timer: event.data.timer })
    if (caughtUp) this.#changed.wakeAll()
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const seen = this.#changed.generation
      if (this.#fireDue() + this.#carryOld() === 0) await this.#wait(seen)
    }
    await Promise.all(this.#working)
  }

  /** Until something changed, the next timer is due, or it is time to look at the clock again. */
  async #wait(seen: number): Promise<void> {
    if (this.#working.size >= FIRED_TOGETHER) return this.#someDone(seen)
    const over = new AbortController()
    const { signal } = over
    await Promise.race([this.#changed.after(seen, { signal }), pauseBy(this.#options.clock, this.#pauseMs(), signal)])
    over.abort(null) // a reason, or each wait would make an error with its stack
  }

  /** Those that are answered together are followed by as many together. */
  async #someDone(seen: number): Promise<void> {
    await this.#changed.after(seen)
    await turn()
  }

  #pauseMs(): number {
    const nowMs = this.#options.clock.now()
    const next = this.#ready().map(({ timers }) => (timers.nextDueAtMs ?? Number.POSITIVE_INFINITY) - nowMs)
    return Math.max(1, Math.min(LONGEST_PAUSE_MS, ...next))
  }

  #ready(): Partition[] {
    return [...this.#partitions.values()].filter(({ caughtUp }) => caughtUp)
  }

  #fireDue(): number {
    const nowMs = this.#options.clock.now()
    return this.#begin((partition, room) =>
      partition.timers.takeDue(nowMs, room).map((timer) => this.#fire(partition, timer)),
    )
  }

  /** What would make the next start read far back is scheduled once more, at the log's end. */
  #carryOld(): number {
    return this.#begin((partition, room) => {
      const { timers, next } = partition
      const limit = Math.max(this.#options.maxReadBack, 10 * timers.size)
      if (next - (timers.oldest?.offset ?? next) <= limit || partition.carrying) return []
      partition.carrying = true
      const old = timers.scheduledBefore(next - limit / 2, Math.min(room, CARRIED_TOGETHER))
      return [this.#carry(partition, old)]
    })
  }

  /** Begins work while there is room for it; answers how much. */
  #begin(work: (partition: Partition, room: number) => readonly Promise<void>[]): number {
    let begun = 0
    for (const partition of this.#ready()) {
      const room = FIRED_TOGETHER - this.#working.size
      if (room <= 0) break
      for (const done of work(partition, room)) {
        begun++
        this.#working.add(done)
        void done.finally(() => {
          this.#working.delete(done)
          this.#changed.wakeAll()
        })
      }
    }
    return begun
  }

  /** One that could not fire stays pending. */
  async #fire({ timers }: Partition, timer: PendingTimer): Promise<void> {
    const { fire, onError, clock } = this.#options
    const { signal } = this.#stopping
    try {
      const dueAtMs = await fire(timer)
      if (dueAtMs === undefined) {
        if (timers.has(timer)) timers.remove(timer)
        return
      }
      // The clock was put back meanwhile.
      if (dueAtMs <= clock.now()) await pause(RETRY_PAUSE_MS, signal)
    } catch (error) {
      if (!signal.aborted) onError(error)
      await pause(RETRY_PAUSE_MS, signal)
    }
    timers.putBack(timer)
  }

  async #carry(partition: Partition, old: readonly PendingTimer[]): Promise<void> {
    const { carry, onError } = this.#options
    const { signal } = this.#stopping
    try {
      await Promise.all(old.map(carry))
      // Where they are now is heard before more are looked for.
      while (old.some((timer) => partition.timers.has(timer)) && this.#owns(partition)) {
        await this.#changed.after(this.#changed.generation, { signal, timeoutMs: LONGEST_PAUSE_MS })
      }
    } catch (error) {
      if (!signal.aborted) onError(error)
      await pause(RETRY_PAUSE_MS, signal)
    }
    partition.carrying = false
  }

  #owns(partition: Partition): boolean {
    return this.#partitions.get(partition.number) === partition && !this.#stopping.signal.aborted
  }

  /**
   * T3. Any mark that was ever right stays right, so it needs no fence. Marks alone are not worth one: those of two
   * partitions may lie in each other, and each would be followed by the other's for ever.
   */
  #moveMark(partition: Partition): void {
    if (partition.worthAMark <= partition.mark) return
    const safe = partition.timers.oldest?.offset ?? partition.next
    if (partition.marking || safe - partition.mark < this.#options.markEvery || this.#stopping.signal.aborted) return
    partition.marking = true
    const done = this.#writeMark(partition, safe)
    this.#working.add(done)
    void done.finally(() => this.#working.delete(done))
  }

  async #writeMark(partition: Partition, offset: number): Promise<void> {
    const { store, manager, markStream, onError } = this.#options
    try {
      reach('timers.mark.begin')
      await writeTimerMark(store, { manager, stream: markStream(partition.number) }, offset)
      reach('timers.mark.done')
      partition.mark = offset
    } catch (error) {
      if (!this.#stopping.signal.aborted) onError(error)
    }
    partition.marking = false
  }
}

function isMark(message: Projected): boolean {
  return message.type === 'TimerMarkMoved' && isOwnFact(message)
}

function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}

type TimerEvent = Extract<ProcessEvent, { type: 'TimerScheduled' | 'TimerFired' | 'TimerCancelled' }> &
  Pick<RecordedEvent, 'stream' | 'offset'>

const TIMER_EVENTS: ReadonlySet<string> = new Set(['TimerScheduled', 'TimerFired', 'TimerCancelled'])
