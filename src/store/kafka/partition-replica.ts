import type { RecordedEvent } from '../../core/event.ts'
import type { StreamInfo } from '../event-store.ts'
import type { PositionRange, StreamFacts } from '../judge-append.ts'
import type { DecodedRecord } from './record-codec.ts'

/*
 * What this process knows of one partition of the event topic: a cache of the log with a position, never truth.
 *
 * P3 An event enters only as the next one of its stream. What claims another place is no fact, to nobody: every replica
 *    reads the same log in the same order and so refuses the same records.
 */

/** The port of a replica; the one in memory is below. */
export interface PartitionReplica {
  /** The next offset to read. */
  readonly position: number
  advance(position: number): void
  /** Takes in the next event of its stream; says why not, else. */
  add(record: DecodedRecord): string | undefined
  facts(stream: string): StreamFacts
  read(stream: string, from: number, to: number): readonly RecordedEvent[]
  streams(): Iterable<StreamInfo>
}

class StreamIndex implements StreamFacts {
  readonly events: RecordedEvent[] = []
  readonly #keys = new Map<string, PositionRange>()
  /** Built when first asked for: most streams are never asked for an id. */
  #ids: Map<string, number> | undefined

  add(event: RecordedEvent, idempotencyKey: string | undefined): void {
    this.events.push(event)
    this.#ids?.set(event.eventId, event.streamPosition)
    if (idempotencyKey === undefined) return
    const first = this.#keys.get(idempotencyKey)?.first ?? event.streamPosition
    this.#keys.set(idempotencyKey, { first, last: event.streamPosition })
  }

  currentVersion(): number {
    return this.events.length
  }

  positionsOfKey(idempotencyKey: string): PositionRange | undefined {
    return this.#keys.get(idempotencyKey)
  }

  positionOfEvent(eventId: string): number | undefined {
    this.#ids ??= new Map(this.events.map((event) => [event.eventId, event.streamPosition]))
    return this.#ids.get(eventId)
  }
}

const NO_STREAM: StreamFacts = new StreamIndex()

export class MemoryReplica implements PartitionReplica {
  position = 0
  readonly #streams = new Map<string, StreamIndex>()

  advance(position: number): void {
    this.position = Math.max(this.position, position)
  }

  add({ message, sequence, idempotencyKey }: DecodedRecord): string | undefined {
    if (sequence === undefined) return 'it has no header ce_sequence with a stream position'
    const index = this.#streams.get(message.key) ?? new StreamIndex()
    const next = index.currentVersion() + 1
    if (sequence !== next) return `it claims to be event ${sequence} of its stream, where event ${next} is due`
    const place = { stream: message.key, streamPosition: sequence, globalPosition: message.offset }
    index.add({ ...message, ...place }, idempotencyKey)
    this.#streams.set(message.key, index)
    return undefined
  }

  facts(stream: string): StreamFacts {
    return this.#streams.get(stream) ?? NO_STREAM
  }

  read(stream: string, from: number, to: number): readonly RecordedEvent[] {
    return this.#streams.get(stream)?.events.slice(from - 1, to) ?? []
  }

  *streams(): Generator<StreamInfo> {
    for (const [stream, { events }] of this.#streams) {
      const last = events[events.length - 1]
      if (last !== undefined) yield { stream, currentStreamVersion: events.length, lastEventAt: last.timestamp }
    }
  }
}
