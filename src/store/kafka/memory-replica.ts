import type { StreamInfo } from '../event-store.ts'
import type { PositionRange, StreamFacts } from '../judge-append.ts'
import type { EventRow } from '../sqlite/rows.ts'
import { EventArena } from './event-arena.ts'
import { type EventMark, flawOfVersion, type IndexedEvent, type PartitionReplica } from './partition-replica.ts'

/** The replica in memory: nothing to find at the start, nothing to tidy up. Grows with the partition. */
export class MemoryReplica implements PartitionReplica {
  #position = 0
  #last: EventMark | undefined
  readonly #streams = new Map<string, StreamIndex>()
  readonly #arena = new EventArena()

  get position(): number {
    return this.#position
  }

  lastEvent(): EventMark | undefined {
    return this.#last
  }

  take(events: readonly IndexedEvent[], nextOffset: number): ReadonlyMap<number, string> {
    const refused = new Map<number, string>()
    for (const event of events) {
      const flaw = this.#add(event)
      if (flaw !== undefined) refused.set(event.row[0], flaw)
    }
    this.#position = Math.max(this.#position, nextOffset)
    return refused
  }

  #add({ stream, row, idempotencyKey }: IndexedEvent): string | undefined {
    const index = this.#streams.get(stream) ?? new StreamIndex(this.#arena)
    const flaw = flawOfVersion(row[9], index.currentVersion() + 1)
    if (flaw !== undefined) return flaw
    index.add(row, idempotencyKey)
    this.#streams.set(stream, index)
    this.#last = { offset: row[0], eventId: row[1] }
    return undefined
  }

  facts(stream: string): StreamFacts {
    return this.#streams.get(stream) ?? NO_STREAM
  }

  rows(stream: string, from: number, to: number): readonly EventRow[] {
    return this.#streams.get(stream)?.rows(from, to) ?? []
  }

  *streams(): Generator<StreamInfo> {
    for (const [stream, index] of this.#streams) {
      const version = index.currentVersion()
      const [last] = index.rows(version, version)
      if (last !== undefined) yield { stream, currentStreamVersion: version, lastEventAt: last[4] }
    }
  }

  clear(): void {
    this.#position = 0
    this.#last = undefined
    this.#streams.clear()
    this.#arena.clear()
  }

  close(): void {
    this.clear()
  }
}

class StreamIndex implements StreamFacts {
  /** Of its events, by version. */
  readonly places: number[] = []
  readonly #arena: EventArena
  #keys: Map<string, PositionRange> | undefined
  /** Built when first asked for: most streams are never asked for an id. */
  #ids: Map<string, number> | undefined

  constructor(arena: EventArena) {
    this.#arena = arena
  }

  rows(from: number, to: number): readonly EventRow[] {
    return this.places.slice(from - 1, to).map((place, index) => this.#arena.rowAt(place, from + index))
  }

  add(row: EventRow, idempotencyKey: string | undefined): void {
    this.places.push(this.#arena.add(row))
    this.#ids?.set(row[1], row[9])
    if (idempotencyKey === undefined) return
    this.#keys ??= new Map()
    addToRange(this.#keys, idempotencyKey, row[9])
  }

  currentVersion(): number {
    return this.places.length
  }

  positionsOfKey(idempotencyKey: string): PositionRange | undefined {
    return this.#keys?.get(idempotencyKey)
  }

  positionOfEvent(eventId: string): number | undefined {
    this.#ids ??= new Map(this.rows(1, this.places.length).map((row) => [row[1], row[9]]))
    return this.#ids.get(eventId)
  }
}

const NO_STREAM: StreamFacts = new StreamIndex(new EventArena())

/** The events of one append share its key and follow one another. */
export function addToRange(keys: Map<string, PositionRange>, key: string, position: number): void {
  keys.set(key, { first: keys.get(key)?.first ?? position, last: position })
}
