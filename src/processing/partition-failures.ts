import type { PartitionPosition } from '../store/event-store.ts'
import { type Place, placeOf } from './partition-lag.ts'
import { ProjectionFailedError } from './projection.ts'

interface Failure {
  readonly error: unknown
  /** The message it is about. */
  readonly at: PartitionPosition | undefined
}

/** What a view did not get on at last, by partition, so that who waits for it in vain hears why. */
export class PartitionFailures {
  readonly #byPlace = new Map<string, Failure>()
  #elsewhere: Failure | undefined

  /** Of a failure that is about no message the partition is not known. */
  note(error: unknown, message: PartitionPosition | undefined): void {
    const at = error instanceof ProjectionFailedError ? error.at : message
    if (at === undefined) this.#elsewhere = { error, at }
    else this.#byPlace.set(placeOf(at), { error, at })
  }

  /** To be given to `since`: what was before does not explain what comes. */
  get last(): unknown {
    return this.#elsewhere?.error
  }

  /** Why a partition is no further than `applied`; nothing: it is not known. */
  since(last: unknown, place: Place, applied: number): unknown {
    const known = this.#byPlace.get(placeOf(place))
    if (known?.at !== undefined && known.at.offset >= applied) return known.error
    return this.#elsewhere?.error === last ? undefined : this.#elsewhere?.error
  }
}
