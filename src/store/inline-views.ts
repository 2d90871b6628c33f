import type { AnyEvent, RecordedEvent, RecordedMessage } from '../core/event.ts'

/*
 * Rows that change in the transaction of the append: what a log on one machine can do, and a log on many cannot.
 *
 * I1 After every append, and after every kill, the rows are what their function makes of the whole log up to there.
 * I2 Where the function throws, the append is refused and nothing of it is written.
 */

/** A log that keeps views beside its events, in one transaction with them. */
export interface InlineViews<E extends AnyEvent = AnyEvent> {
  /**
   * Keeps the view up to date from now on; resolves when it has caught up with the log. Events that others append without
   * it are made up for, in the log's order, before the next append of this store and before each read.
   *
   * @throws INVALID_ARGUMENT when a newer version of the view is there; what `rows` throws.
   */
  keep(view: InlineView<E>): Promise<KeptView>
}

/** What an inline view is made of. */
export interface InlineView<E extends AnyEvent = AnyEvent> {
  /** Names its rows in the log. */
  readonly name: string
  /** From 1. A higher one is computed from the log's beginning and takes the lower one's place. */
  readonly version: number
  /** What it is computed from. */
  readonly topics: readonly string[]
  /**
   * The rows that change at these messages, in the log's own order, as JSON texts; nothing: the row is deleted. `read` gives
   * a row as it was before them. Pure and synchronous; what it throws refuses the append.
   */
  readonly rows: (
    messages: readonly (RecordedMessage<E> | RecordedEvent<E>)[],
    read: (key: string) => string | undefined,
  ) => ReadonlyMap<string, string | undefined>
}

/** Which rows of a view, in the order of their keys. */
export interface RowRange {
  /** Only keys that start so. */
  readonly prefix?: string
  /** Only keys after this one. */
  readonly after?: string
  /** Default 1,000. */
  readonly limit?: number
}

/** A view that its log keeps; every read sees every append acknowledged before it. */
export interface KeptView {
  /** A row as JSON text; nothing: there is none. */
  get(key: string): Promise<string | undefined>
  /** Rows in the order of their keys. */
  list(range?: RowRange): Promise<readonly (readonly [key: string, text: string])[]>
  /** This store's appends leave it alone from now on. Idempotent. */
  release(): void
}

export const DEFAULT_ROW_LIMIT = 1000
