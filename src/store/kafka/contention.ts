import { pause } from '../wake-ups.ts'

/*
 * Manners between processes that want the same partition. Fencing makes every takeover safe; these pauses make them
 * rare enough that each holder gets something done, and alike enough that each gets its share.
 *
 * F1 Who was not writing lately takes over at once: two processes that take turns do not wait for each other.
 * F2 Who was fenced while writing lets the others work for a hold before it takes over again. A hold depends on nothing but
 *    the broker's speed, so it is about the same for all: each of n contenders waits while the other n - 1 write, and has
 *    1/n of the time. The random part keeps two from coming back together for ever.
 * F3 Who was fenced before it committed anything waits no longer than others, or it would fall behind for good; only
 *    from the second time in a row on does it wait longer, until somebody has the time to commit.
 * F4 A hold is several takeovers long, as measured here: on a slow broker a shorter one would let nobody commit.
 */

const LEAST_HOLD_MS = 80
const MOST_HOLD_MS = 500
const COSTS_PER_HOLD = 3
const SMOOTHING = 0.1
const MAX_DOUBLINGS = 3

export interface ContentionDoors {
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number
  /** From 0 to 1. */
  readonly random: () => number
}

export class Contention {
  readonly #doors: ContentionDoors
  #activeAt = Number.NEGATIVE_INFINITY
  #begunAt = 0
  #fruitless = 0
  /** From the beginning of a takeover to the first commit. */
  #costMs = 0

  constructor(doors: ContentionDoors = { now: () => performance.now(), random: Math.random }) {
    this.#doors = doors
  }

  async beforeTakeOver(): Promise<void> {
    const ms = this.politePauseMs()
    if (ms > 0) await pause(ms)
    this.#begunAt = this.#doors.now()
  }

  politePauseMs(): number {
    const holdMs = Math.min(Math.max(LEAST_HOLD_MS, COSTS_PER_HOLD * this.#costMs), MOST_HOLD_MS)
    if (this.#fruitless === 0 && this.#doors.now() - this.#activeAt > holdMs) return 0
    const doublings = Math.min(Math.max(0, this.#fruitless - 1), MAX_DOUBLINGS)
    return holdMs * 2 ** doublings * (0.75 + this.#doors.random() / 2)
  }

  tookOver(): void {
    this.#fruitless++
    this.#activeAt = this.#doors.now()
  }

  committed(): void {
    const now = this.#doors.now()
    this.#activeAt = now
    if (this.#fruitless > 0) this.#costMs += (now - this.#begunAt - this.#costMs) * SMOOTHING
    this.#fruitless = 0
  }
}
