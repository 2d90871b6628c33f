import type { Clock } from '../core/clock.ts'
import type { AnyEvent } from '../core/event.ts'
import { isRecordedEvent } from '../core/event.ts'
import type { Consumer, EventStore, PartitionPosition } from '../store/event-store.ts'
import { pause, WakeUps } from '../store/wake-ups.ts'
import type { ProcessEvent } from './process-events.ts'
import type { Projected } from './projection.ts'
import { type PendingTimer, TimerIndex } from './timer-index.ts'

/*
 * Fires the timers of a process manager: reads its streams from the log's beginning, keeps what is pending, and tells
 * when one is due. The instances share the partitions. That a timer fires once is not decided here but by the process:
 * `fire` of one that fired or was cancelled does nothing.
 *
 * A partition's timers fire only when it was read to where it ended when it was taken: what fired long ago is known.
 */

export interface TimerServiceOptions<E extends AnyEvent> {
  readonly store: EventStore<E>
  readonly group: string
  readonly eventTopic: string
  /** What the streams of the process manager start with. */
  readonly prefix: string
  readonly clock: Clock
  readonly fire: (timer: PendingTimer) => Promise<void>
  readonly onError: (error: unknown) => void
}

interface Partition {
  readonly timers: TimerIndex
  readonly end: number
  caughtUp: boolean
}

const FIRED_TOGETHER = 64
/** The clock is looked at this often, also when nothing is due: it may be set, or be a test's. */
const LONGEST_PAUSE_MS = 250
const RETRY_PAUSE_MS = 1000

export class TimerService<E extends AnyEvent> {
  readonly ready: Promise<void>
  readonly #options: TimerServiceOptions<E>
  readonly #partitions = new Map<number, Partition>()
  readonly #changed = new WakeUps()
  readonly #stopping = new AbortController()
  readonly #consumer: Consumer
  readonly #firing: Promise<void>

  constructor(options: TimerServiceOptions<E>) {
    this.#options = options
    this.#consumer = options.store.consume({
      group: options.group,
      topics: [options.eventTopic],
      checkpoints: { load: (_, partition) => this.#load(partition), caughtUp: (position) => this.#caughtUp(position) },
      handler: async (message, { signal }) => this.#hear(message, signal),
      // What cannot be read is not ours: the process manager's own events are in every catalogue it works with.
      unreadable: async () => {},
      onError: options.onError,
    })
    this.ready = this.#consumer.ready
    this.#firing = this.#run()
  }

  get pendingCount(): number {
    return [...this.#partitions.values()].reduce((sum, { timers }) => sum + timers.size, 0)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#consumer.stop()
    await this.#firing
  }

  async #load(partition: number): Promise<number> {
    const ends = await this.#options.store.partitionEnds(this.#options.eventTopic)
    const end = ends.find((place) => place.partition === partition)?.offset ?? 0
    this.#partitions.set(partition, { timers: new TimerIndex(), end, caughtUp: false })
    return 0
  }

  async #caughtUp({ partition: number, offset }: PartitionPosition): Promise<void> {
    const partition = this.#partitions.get(number)
    if (partition === undefined || offset < partition.end) return
    partition.caughtUp = true
    this.#changed.wakeAll()
  }

  #hear(message: Projected<E>, signal: AbortSignal): void {
    if (!isRecordedEvent(message) || !message.stream.startsWith(this.#options.prefix)) return
    const partition = this.#partitions.get(message.partition)
    if (partition === undefined || signal.aborted) return
    const event = message as unknown as ProcessEvent
    const { stream } = message
    if (event.type === 'TimerScheduled') partition.timers.add({ stream, ...event.data })
    else if (event.type === 'TimerFired' || event.type === 'TimerCancelled') {
      partition.timers.remove({ stream, timer: event.data.timer })
    } else return
    if (partition.caughtUp) this.#changed.wakeAll()
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const seen = this.#changed.generation
      const due = this.#takeDue()
      if (due.length > 0) await Promise.all(due.map(([partition, timer]) => this.#fire(partition, timer)))
      else await this.#changed.after(seen, { signal, timeoutMs: this.#pauseMs() })
    }
  }

  #takeDue(): [Partition, PendingTimer][] {
    const nowMs = this.#options.clock.now()
    const ready = [...this.#partitions.values()].filter(({ caughtUp }) => caughtUp)
    return ready.flatMap((partition) =>
      partition.timers.takeDue(nowMs, FIRED_TOGETHER).map((timer): [Partition, PendingTimer] => [partition, timer]),
    )
  }

  #pauseMs(): number {
    const nowMs = this.#options.clock.now()
    const waits = [...this.#partitions.values()].map(
      ({ timers }) => (timers.nextDueAtMs ?? nowMs + LONGEST_PAUSE_MS) - nowMs,
    )
    return Math.max(1, Math.min(LONGEST_PAUSE_MS, ...waits))
  }

  /** One that could not fire stays pending. */
  async #fire({ timers }: Partition, timer: PendingTimer): Promise<void> {
    const { signal } = this.#stopping
    if (signal.aborted) return
    try {
      await this.#options.fire(timer)
    } catch (error) {
      this.#options.onError(error)
      timers.add(timer)
      await pause(RETRY_PAUSE_MS, signal)
    }
  }
}
