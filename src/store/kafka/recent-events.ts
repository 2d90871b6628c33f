import type { IndexedEvent } from './partition-replica.ts'

const MOST = 512
/** Of its data: what is longer is looked for when it is wanted. */
const MOST_CHARS = 2048

/**
 * The newest events of a partition as a replica took them in. Whoever follows the log is handed them from here: each of its
 * readers would else look for each of them in the replica, by what its headers say.
 */
export class RecentEvents {
  readonly #events = new Map<number, IndexedEvent>()

  add(event: IndexedEvent): void {
    if (event.row[8].length > MOST_CHARS) return
    this.#events.set(event.row[0], event)
    if (this.#events.size <= MOST) return
    for (const oldest of this.#events.keys()) {
      this.#events.delete(oldest)
      return
    }
  }

  at(offset: number, key: Buffer | null): IndexedEvent | undefined {
    const event = this.#events.get(offset)
    return event?.stream === key?.toString() ? event : undefined
  }

  clear(): void {
    this.#events.clear()
  }
}
