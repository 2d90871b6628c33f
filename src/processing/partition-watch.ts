import type { AnyEvent } from '../core/event.ts'
import { messageOf } from '../core/message-of.ts'
import type { EventStore, TakenPartition } from '../store/event-store.ts'
import { systemClock } from '../store/system.ts'
import { lagOf, type Place, placeOf } from './partition-lag.ts'
import type { PartitionLag } from './processor-options.ts'
import type { Projected } from './projection.ts'

/** A partition that waits at a message: nothing behind it is heard until that could be taken in. */
export interface WaitingPartition {
  readonly topic: string
  readonly partition: number
  /** Of the message it waits at, as what follows. */
  readonly offset: number
  readonly key: string
  readonly type: string
  /** How often it was tried. */
  readonly attempts: number
  /** ISO time of the first failure that this instance saw. */
  readonly since: string
  /** What the last one said. */
  readonly reason: string
}

/** What a person wants to know of the partitions that a consumer has: how far each is behind, and where it waits. */
export class PartitionWatch {
  readonly #taken = new Map<string, TakenPartition>()
  readonly #waiting = new Map<string, WaitingPartition>()

  take(taken: TakenPartition): void {
    this.#taken.set(placeOf(taken), taken)
    this.done(taken)
  }

  failed(error: unknown, message: Projected | undefined, attempts: number): void {
    if (message === undefined) return
    const { topic, partition, offset, key, type } = message
    const place = placeOf(message)
    const before = this.#waiting.get(place)
    const since = before?.offset === offset ? before.since : new Date(systemClock.now()).toISOString()
    this.#waiting.set(place, { topic, partition, offset, key, type, attempts, since, reason: messageOf(error) })
  }

  /** It is past the message it had come to. */
  done(place: Place): void {
    if (this.#waiting.size > 0) this.#waiting.delete(placeOf(place))
  }

  lag<E extends AnyEvent>(store: EventStore<E>): Promise<readonly PartitionLag[]> {
    return lagOf(store, this.#taken.values())
  }

  waiting(): readonly WaitingPartition[] {
    const isHere = (each: Place) => this.#taken.get(placeOf(each))?.signal.aborted === false
    return [...this.#waiting.values()].filter(isHere)
  }
}
