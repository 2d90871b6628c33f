import type { TopicPartition } from '../../kafka/driver.ts'
import { endNotShown } from './store-errors.ts'

/*
 * Patience with a partition that is to show more than it does. Its end is known, but what lies before it may be held back: by a
 * stranger's open transaction, in the worst case for ever.
 */

/** Longer than a transaction of ours can stay open: the coordinator ends those after 10 s. */
export const SHOWN_WITHIN_MS = 15_000

export class ShownEnd {
  readonly #place: TopicPartition
  #shownTo = -1
  #sinceMs = 0

  constructor(place: TopicPartition) {
    this.#place = place
  }

  /** @throws BROKER_UNREACHABLE when it was told of no progress for too long. */
  progress(shownTo: number, end: number): void {
    const nowMs = performance.now()
    if (shownTo !== this.#shownTo) {
      this.#shownTo = shownTo
      this.#sinceMs = nowMs
      return
    }
    const forMs = nowMs - this.#sinceMs
    if (forMs > SHOWN_WITHIN_MS) throw endNotShown({ ...this.#place, shownTo, end, forMs })
  }
}
