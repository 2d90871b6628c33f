import type { ParkedMessage } from './processor-options.ts'
import type { Projected } from './projection.ts'

interface Parked {
  readonly message: Projected
  readonly attempt: number
  readonly dueMs: number
  readonly reason: string
}

/** Who waits for a next try, and how many wait behind. In memory: the log has them, and the checkpoint is before them. */
export class ParkedMessages {
  readonly #parked = new Set<Parked>()

  /** Returns how to take it out again. */
  add(parked: Parked): () => void {
    this.#parked.add(parked)
    return () => void this.#parked.delete(parked)
  }

  list(waitingBehind: (message: Projected) => number): readonly ParkedMessage[] {
    return [...this.#parked].map(({ message, attempt, dueMs, reason }) => {
      const { topic, partition, offset, key, type } = message
      const dueAt = new Date(dueMs).toISOString()
      return { topic, partition, offset, key, type, attempt, dueAt, reason, waitingBehind: waitingBehind(message) }
    })
  }
}
