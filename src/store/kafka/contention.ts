import { pause } from '../wake-ups.ts'

/*
 * Manners between processes that want the same partition. Fencing makes every takeover safe; these pauses make them
 * rare enough that each holder gets something done.
 *
 * F1 Who was not writing lately takes over at once: two processes that take turns do not wait for each other.
 * F2 Who was fenced while writing lets the new holder work for at least `HOLD_MS`, plus a random part so that several
 *    who wait do not come back together, and longer each time a takeover ended without a commit.
 */

const HOLD_MS = 50
const MAX_DOUBLINGS = 4

export interface ContentionDoors {
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number
  /** From 0 to 1. */
  readonly random: () => number
}

export class Contention {
  readonly #doors: ContentionDoors
  #activeAt = Number.NEGATIVE_INFINITY
  #fruitless = 0

  constructor(doors: ContentionDoors = { now: () => performance.now(), random: Math.random }) {
    this.#doors = doors
  }

  async beforeTakeOver(): Promise<void> {
    const ms = this.politePauseMs()
    if (ms > 0) await pause(ms)
  }

  politePauseMs(): number {
    const idle = this.#doors.now() - this.#activeAt > HOLD_MS
    if (idle && this.#fruitless === 0) return 0
    const doublings = Math.min(this.#fruitless, MAX_DOUBLINGS)
    return HOLD_MS * (1 + this.#doors.random() * 2 ** doublings)
  }

  tookOver(): void {
    this.#fruitless++
    this.#activeAt = this.#doors.now()
  }

  committed(): void {
    this.#fruitless = 0
    this.#activeAt = this.#doors.now()
  }
}
