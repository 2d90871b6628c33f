import type { Clock } from '../core/clock.ts'
import type { StandardSchema } from '../core/standard-schema.ts'

/*
 * What is kept of folded states beside the log.
 */

/**
 * A kind of snapshot. One that is damaged, of another version or schema, or ahead of the stream is passed over, and the
 * fold begins at the first event: a snapshot changes what a fold costs, never what it says.
 */
export interface SnapshotOptions<State> {
  /** Of the kind of state, for example `session`; kinds do not see each other's snapshots. */
  readonly name: string
  /** From 1. Raise it whenever `evolve` or the state's shape changes: snapshots of other versions are not used. */
  readonly version: number
  /** A new one after so many events since the last. Default 100, unless `everyMs` is given. */
  readonly every?: number
  /** A new one when the last is older than this and events came since, milliseconds. */
  readonly everyMs?: number
  /** Of the state, as JSON. A snapshot made with another schema is not used. */
  readonly schema?: StandardSchema
  /** For states that JSON cannot carry as they are (a Map, a Date). Default: the state itself. */
  readonly toJson?: (state: State) => unknown
  /** From what `toJson` made. Default: the state itself. */
  readonly fromJson?: (json: unknown) => State
  /** Default: the system's. */
  readonly clock?: Clock
}

/** A state of a stream at a position. */
export interface StoredSnapshot {
  /** Of the kind of snapshot. */
  readonly version: number
  /** Of the schema it was made with, where there was one. */
  readonly schemaHash?: string
  /** Of the last event in it. */
  readonly streamPosition: number
  /** Of the event at that position: the stream must have this very one. */
  readonly eventId: string
  /** Unix milliseconds. */
  readonly writtenAtMs: number
  /** As JSON. */
  readonly state: unknown
}

/** Where snapshots are kept. Nothing here rejects or throws, except `clear`: a snapshot that fails is a slower read. */
export interface SnapshotStore {
  /** The last one; nothing: there is none that can be read. */
  load(name: string, stream: string): Promise<StoredSnapshot | undefined>
  /** Taken at once, written soon. */
  save(name: string, stream: string, snapshot: StoredSnapshot): void
  /** Says, once, why one is not used. */
  ignored(name: string, stream: string, reason: string): void
  /** Deletes all of them; always safe. */
  clear(): Promise<void>
  /** Resolves when nothing waits to be written. */
  idle(): Promise<void>
}
