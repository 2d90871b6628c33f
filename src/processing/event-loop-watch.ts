/*
 * Notices that the event loop stood still while handlers were at work: a timer that comes too late. Timers, heartbeats
 * and all other handlers stand still with it, so it has to be said, and of whom.
 */

const TICK_MS = 50

export interface LoopWatchOptions<Call> {
  readonly blockedAfterMs: number
  /** Hears how long it stood still, and which calls were at work then: one of them did it, or something else here. */
  readonly onBlocked: (blockedMs: number, calls: readonly Call[]) => void
}

export class EventLoopWatch<Call> {
  readonly #options: LoopWatchOptions<Call>
  readonly #calls = new Set<Call>()
  #timer: ReturnType<typeof setInterval> | undefined
  #lastMs = 0
  #wasBusy = false

  constructor(options: LoopWatchOptions<Call>) {
    this.#options = options
  }

  get running(): number {
    return this.#calls.size
  }

  async during<T>(call: Call, run: () => Promise<T>): Promise<T> {
    this.#enter(call)
    try {
      return await run()
    } finally {
      // A call that blocked and ended at once: no timer came in between.
      this.#look()
      this.#calls.delete(call)
    }
  }

  #enter(call: Call): void {
    this.#calls.add(call)
    this.#wasBusy = true
    if (this.#timer !== undefined) return
    this.#lastMs = performance.now()
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref()
  }

  /** Stops when nobody was at work for a while: starting a timer for each call would cost more than most calls. */
  #tick(): void {
    this.#look()
    if (this.#calls.size > 0 || this.#wasBusy) {
      this.#wasBusy = false
      return
    }
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #look(): void {
    const nowMs = performance.now()
    const lateMs = nowMs - this.#lastMs - TICK_MS
    if (lateMs >= this.#options.blockedAfterMs && this.#calls.size > 0)
      this.#options.onBlocked(Math.round(lateMs), [...this.#calls])
    this.#lastMs = nowMs
  }
}
