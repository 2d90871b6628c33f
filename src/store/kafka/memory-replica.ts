import type { StreamInfo } from '../event-store.ts'
import type { PositionRange, StreamFacts } from '../judge-append.ts'
import type { EventRow } from '../sqlite/rows.ts'
import { type EventMark, flawOfVersion, type IndexedEvent, type PartitionReplica } from './partition-replica.ts'

/** The replica in memory: nothing to find at the start, nothing to tidy up. Grows with the partition. */
export class MemoryReplica implements PartitionReplica {
  #position = 0
  #last: EventMark | undefined
  readonly #streams = new Map<string, StreamIndex>()

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
    const index = this.#streams.get(stream) ?? new StreamIndex()
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

  offsetOf(stream: string, streamPosition: number): number | undefined {
    return this.#streams.get(stream)?.rows[streamPosition - 1]?.[0]
  }

  rows(stream: string, from: number, to: number): readonly EventRow[] {
    return this.#streams.get(stream)?.rows.slice(from - 1, to) ?? []
  }

  *streams(): Generator<StreamInfo> {
    for (const [stream, { rows }] of this.#streams) {
      const last = rows[rows.length - 1]
      if (last !== undefined) yield { stream, currentStreamVersion: rows.length, lastEventAt: last[4] }
    }
  }

  clear(): void {
    this.#position = 0
    this.#last = undefined
    this.#streams.clear()
  }

  close(): void {
    this.clear()
  }
}

class StreamIndex implements StreamFacts {
  readonly rows: EventRow[] = []
  #keys: Map<string, PositionRange> | undefined
  /** Built when first asked for: most streams are never asked for an id. */
  #ids: Map<string, number> | undefined

  add(row: EventRow, idempotencyKey: string | undefined): void {
    this.rows.push(row)
    this.#ids?.set(row[1], row[9])
    if (idempotencyKey === undefined) return
    this.#keys ??= new Map()
    addToRange(this.#keys, idempotencyKey, row[9])
  }

  currentVersion(): number {
    return this.rows.length
  }

  positionsOfKey(idempotencyKey: string): PositionRange | undefined {
    return this.#keys?.get(idempotencyKey)
  }

  positionOfEvent(eventId: string): number | undefined {
    this.#ids ??= new Map(this.rows.map((row) => [row[1], row[9]]))
    return this.#ids.get(eventId)
  }
}

const NO_STREAM: StreamFacts = new StreamIndex()

/** The events of one append share its key and follow one another. */
export function addToRange(keys: Map<string, PositionRange>, key: string, position: number): void {
  keys.set(key, { first: keys.get(key)?.first ?? position, last: position })
}
