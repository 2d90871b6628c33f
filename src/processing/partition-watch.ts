import type { AnyEvent } from '../core/event.ts'
import { messageOf } from '../core/message-of.ts'
import type { EventStore, PartitionPosition, TakenPartition } from '../store/event-store.ts'
import { systemClock } from '../store/system.ts'
import { lagOf, type Place, placeOf } from './partition-lag.ts'
import type { PartitionLag } from './processor-options.ts'
import type { Projected } from './projection.ts'

/** A message that cannot be taken in yet: its process waits at it; where its process cannot be told, its partition. */
export interface WaitingMessage {
  /** Where it lies. */
  readonly topic: string
  /** Where it lies. */
  readonly partition: number
  /** Where it lies. */
  readonly offset: number
  /** Of the message. */
  readonly key: string
  /** Of the message. */
  readonly type: string
  /** How often it was tried. */
  readonly attempts: number
  /** ISO time of the first failure that this instance saw. */
  readonly since: string
  /** What the last one said. */
  readonly reason: string
}

/** What a person wants to know of the partitions that a consumer has: how far each is behind, and what waits. */
export class PartitionWatch {
  readonly #taken = new Map<string, TakenPartition>()
  readonly #waiting = new Map<string, WaitingMessage>()

  take(taken: TakenPartition): void {
    this.#taken.set(placeOf(taken), taken)
    for (const message of [...this.#waiting.values()]) if (placeOf(message) === placeOf(taken)) this.done(message)
  }

  failed(error: unknown, message: Projected, attempts: number): void {
    const { topic, partition, offset, key, type } = message
    const since = this.#waiting.get(keyOf(message))?.since ?? new Date(systemClock.now()).toISOString()
    this.#waiting.set(keyOf(message), {
      topic,
      partition,
      offset,
      key,
      type,
      attempts,
      since,
      reason: messageOf(error),
    })
  }

  /** It was taken in, or passed over. */
  done(message: PartitionPosition): void {
    if (this.#waiting.size > 0) this.#waiting.delete(keyOf(message))
  }

  lag<E extends AnyEvent>(store: EventStore<E>): Promise<readonly PartitionLag[]> {
    return lagOf(store, this.#taken.values())
  }

  waiting(): readonly WaitingMessage[] {
    const isHere = (each: Place) => this.#taken.get(placeOf(each))?.signal.aborted === false
    return [...this.#waiting.values()].filter(isHere)
  }
}

function keyOf(message: PartitionPosition): string {
  return `${placeOf(message)}/${message.offset}`
}
