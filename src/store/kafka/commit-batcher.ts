import type { FetchPosition } from '../../kafka/driver.ts'
import { placeKey } from './names.ts'

/*
 * Checkpoints of one assignment on their way to the broker: while one commit is under way the next gathers, all
 * partitions together, so that a message does not cost a round trip.
 *
 * P6 Only offsets of finished messages come in here. A crash before the commit makes them come again, which is what
 *    at-least-once means and what idempotency keys are for; `flush` before a partition is given back avoids it.
 */

export class CommitBatcher {
  readonly #commit: (offsets: readonly FetchPosition[]) => Promise<void>
  #waiting = new Map<string, FetchPosition>()
  #running: Promise<void> = Promise.resolve()
  #isRunning = false
  #failure: { readonly error: unknown } | undefined

  /** `commit` rejects when no later commit can succeed either. */
  constructor(commit: (offsets: readonly FetchPosition[]) => Promise<void>) {
    this.#commit = commit
  }

  /** @throws what ended an earlier commit. */
  add(position: FetchPosition): void {
    if (this.#failure !== undefined) throw this.#failure.error
    this.#waiting.set(placeKey(position), position)
    if (!this.#isRunning) this.#running = this.#run()
  }

  /** Resolves when all that was added is committed, or cannot be any more. */
  async flush(): Promise<void> {
    await this.#running
  }

  /** It rests from the moment it has found nothing: what comes a turn later begins it again. */
  async #run(): Promise<void> {
    this.#isRunning = true
    while (this.#waiting.size > 0 && this.#failure === undefined) {
      const offsets = [...this.#waiting.values()]
      this.#waiting = new Map()
      try {
        await this.#commit(offsets)
      } catch (error) {
        this.#failure = { error }
      }
    }
    this.#isRunning = false
  }
}
