import type { StreamInfo } from '../event-store.ts'
import type { StreamFacts } from '../judge-append.ts'
import type { EventRow } from '../sqlite/rows.ts'

/*
 * What this process knows of one partition of the event topic: a cache of the log with a position, never truth.
 *
 * P3 An event enters only as the next one of its stream. What claims another place is no fact, to nobody: every replica
 *    reads the same log in the same order and so refuses the same records.
 * R1 What a replica holds is what lies in the log below its position, all of it: events and position change together.
 * R2 A replica can be lost at any moment. It then says so (`ReplicaLost`), is empty, and is filled again from the log.
 */

/** An event by its form; whether it is the next of its stream is the replica's to say. */
export interface IndexedEvent {
  readonly stream: string
  readonly row: EventRow
  readonly idempotencyKey: string | undefined
}

/** An event to know the log by: no other log has this id at this offset. */
export interface EventMark {
  readonly offset: number
  readonly eventId: string
}

/** The port of a replica: in memory (memory-replica.ts) or in a file (sqlite-replica.ts). */
export interface PartitionReplica {
  /** The next offset to read. */
  readonly position: number
  /** The last event that was taken in. */
  lastEvent(): EventMark | undefined
  /**
   * Takes in what lies in the log from the position up to `nextOffset`, all or nothing. Gives back the reasons of those
   * that are not the next of their stream, by offset. With `more` to come at once it may be made to last with that.
   */
  take(events: readonly IndexedEvent[], nextOffset: number, more?: boolean): ReadonlyMap<number, string>
  facts(stream: string): StreamFacts
  /** Without gaps from `from` to `to` or to the stream's end. */
  rows(stream: string, from: number, to: number): readonly EventRow[]
  streams(): Iterable<StreamInfo>
  /** Forgets everything. */
  clear(): void
  close(): void
}

/** The replica was damaged or does not belong to this log. It is empty now; what was asked can be asked again. */
export class ReplicaLost extends Error {
  override readonly name = 'ReplicaLost'
}

export function flawOfVersion(version: number, due: number): string | undefined {
  return version === due ? undefined : `it claims to be event ${version} of its stream, where event ${due} is due`
}
