import type { PartitionPosition } from '../store/event-store.ts'
import type { RowChanges } from './projection.ts'

/*
 * Where the rows of projections live, with the checkpoint they are true at.
 *
 * V1 Rows and checkpoint change together or not at all: a message is applied exactly once, whenever the process dies.
 * V2 A change that does not begin at the stored checkpoint is refused: two owners of a partition apply nothing twice.
 * V3 Each name has at most one live build; readers see it, another may be built beside it.
 */

/** One complete computation of a view: its rows and its checkpoints. */
export interface ViewBuild {
  /** Of the projection. */
  readonly name: string
  /** Of the projection. */
  readonly version: number
  /** Grows with every build; unique in the store. */
  readonly generation: number
}

/** What one transaction does to a build. */
export interface ViewChange {
  /** Where its messages lie. */
  readonly topic: string
  /** Where its messages lie. */
  readonly partition: number
  /** The checkpoint it begins at; nothing: the partition has none yet. */
  readonly from: number | undefined
  /** The checkpoint after it. */
  readonly to: number
  /** Called inside the transaction; what it throws undoes it. Synchronous. */
  readonly rows: (read: (key: string) => unknown) => RowChanges
}

/** A row of a view, with its key. */
export interface ViewRow<Row = unknown> {
  /** Unique in its build. */
  readonly key: string
  /** JSON. */
  readonly row: Row
}

/** Which rows to list, in the order of their keys (by code unit or UTF-8 byte). */
export interface ListRowsOptions {
  /** Only keys that start so. */
  readonly prefix?: string
  /** Only keys after this one: the last key of the page before. */
  readonly after?: string
  /** Default 1,000. */
  readonly limit?: number
}

/** A place for views; `memoryViews()` and `sqliteViews(path)` are the two that come with the package. */
export interface ViewStore {
  /** Who opens a store with the same id shares its views, and the work of keeping them up to date. */
  readonly id: string
  /** The build that readers see; nothing: there is none yet. */
  live(name: string): Promise<ViewBuild | undefined>
  /** The newest unfinished build of this name and version, if there is one. */
  unfinished(name: string, version: number): Promise<ViewBuild | undefined>
  /** The live build of the name, whatever its version; a new one of this version where there is none. Atomic. */
  openLive(name: string, version: number): Promise<ViewBuild>
  /** Whether it is the live one or may become it: nothing took its place. */
  exists(build: ViewBuild): Promise<boolean>
  /** A new empty build beside the live one. */
  createBuild(name: string, version: number): Promise<ViewBuild>
  /** @throws CHECKPOINT_FENCED when `from` is not the stored checkpoint or the build is gone; nothing changed (V1, V2). */
  apply(build: ViewBuild, change: ViewChange): Promise<void>
  /** By partition: the offset behind the last message that was applied. */
  checkpoints(build: ViewBuild): Promise<readonly PartitionPosition[]>
  /** Makes the build the live one and removes all others of its name, unless the live one is further in some partition. */
  promote(build: ViewBuild): Promise<boolean>
  /** A row of a build; nothing: there is none. */
  get(build: ViewBuild, key: string): Promise<unknown>
  /** Rows of a build in the order of their keys. */
  list(build: ViewBuild, options?: ListRowsOptions): Promise<readonly ViewRow[]>
  /** Resolves when something may have changed since `seen` was taken, or the signal fires. */
  changed(seen: number, signal: AbortSignal): Promise<void>
  /** Take it before you look, pass it to `changed`. */
  readonly generation: number
  /** Releases what it holds. Idempotent. */
  close(): Promise<void>
}
