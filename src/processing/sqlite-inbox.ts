import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DuologError } from '../core/errors.ts'
import { checkNames, type Names } from '../core/known-names.ts'
import { reach } from '../core/reach.ts'
import { checkName } from '../store/check-arguments.ts'
import { systemClock } from '../store/system.ts'
import { checkWindow, DEFAULT_MAX_MESSAGES, type InboxEntry, type InboxStore, type InboxWindow } from './inbox.ts'

/*
 * An inbox in SQLite: a file of its own, or a table in the database that has the effect.
 *
 * P7 What is noted is on disk before the answer. I3 `inTransaction`: the mark and the effect's rows are one transaction.
 */

/** As much of `node:sqlite`'s DatabaseSync as an inbox needs. */
export interface InboxDatabase {
  /** Runs statements without answers. */
  exec(sql: string): void
  /** A statement to be run with values. */
  prepare(sql: string): {
    /** The first row. */
    get(...values: (string | number)[]): Record<string, unknown> | undefined
    /** All rows. */
    all(...values: (string | number)[]): Record<string, unknown>[]
    /** No rows. */
    run(...values: (string | number)[]): unknown
  }
}

/** An inbox in SQLite. */
export interface SqliteInbox extends InboxStore {
  /**
   * Marks the message as done and runs the effect in one transaction of this database: exactly once, also across kill -9.
   * False: it was done before. What the effect throws undoes both. Synchronous; begin no transaction in it.
   */
  inTransaction(consumer: string, messageId: string, effect: (database: InboxDatabase) => void): boolean
}

/** Options of {@link sqliteInbox}. */
export interface SqliteInboxOptions extends InboxWindow {
  /** A file of its own; made when missing. */
  readonly path?: string
  /** Your open `DatabaseSync`, which stays yours to close; the table `duolog_inbox` is made in it. */
  readonly database?: InboxDatabase
}

const NAMES: Names<SqliteInboxOptions> = { path: true, database: true, maxMessages: true, maxAgeMs: true }

const BUSY_TIMEOUT_MS = 10_000
const PRUNE_EVERY = 100

const TABLE = `
CREATE TABLE IF NOT EXISTS duolog_inbox (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  consumer TEXT NOT NULL,
  message TEXT NOT NULL,
  done_at INTEGER,
  UNIQUE (consumer, message)
) STRICT;
CREATE INDEX IF NOT EXISTS duolog_inbox_done ON duolog_inbox (consumer, done_at, sequence);
`

/**
 * Opens an inbox in SQLite, in a file of its own or in your database.
 *
 * @throws INVALID_ARGUMENT without exactly one of `path` and `database`; NOT_AN_INBOX; DEPENDENCY_MISSING before Node.js 22.13.
 */
export async function sqliteInbox(options: SqliteInboxOptions): Promise<SqliteInbox> {
  checkNames('options of sqliteInbox', options ?? null, NAMES)
  const { path, database } = options
  checkWindow(options)
  if ((path === undefined) === (database === undefined)) {
    throw new DuologError('INVALID_ARGUMENT', 'sqliteInbox needs either a path or a database.')
  }
  if (database !== undefined) return new Inbox(prepared(database, 'the given database'), options, () => {})
  const opened = await openFile(path as string)
  try {
    opened.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    return new Inbox(prepared(opened, `"${path}"`), options, () => opened.close())
  } catch (error) {
    opened.close()
    throw error instanceof DuologError ? error : notAnInbox(`"${path}"`, error)
  }
}

async function openFile(path: string) {
  const { DatabaseSync } = await import('node:sqlite').catch((cause: unknown) => {
    throw new DuologError('DEPENDENCY_MISSING', `An inbox in SQLite needs Node.js 22.13; this is ${process.version}.`, {
      cause,
    })
  })
  mkdirSync(dirname(path), { recursive: true })
  return new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS })
}

function prepared(database: InboxDatabase, what: string): InboxDatabase {
  try {
    database.exec(TABLE)
    return database
  } catch (error) {
    throw notAnInbox(what, error)
  }
}

class Inbox implements SqliteInbox {
  readonly #database: InboxDatabase
  readonly #window: InboxWindow
  readonly #close: () => void
  #finished = 0

  constructor(database: InboxDatabase, window: InboxWindow, close: () => void) {
    this.#database = database
    this.#window = window
    this.#close = close
  }

  async begin(consumer: string, messageId: string): Promise<InboxEntry> {
    const entry = this.#transact((): InboxEntry => {
      const known = this.#known(consumer, messageId)
      if (known === 'new') {
        this.#database.prepare('INSERT INTO duolog_inbox (consumer, message) VALUES (?, ?)').run(consumer, messageId)
      }
      return known
    })
    reach('inbox.begin.recorded')
    return entry
  }

  async finish(consumer: string, messageId: string): Promise<void> {
    this.#transact(() => this.#mark(consumer, messageId))
  }

  async forget(consumer: string, messageId: string): Promise<void> {
    const forget = 'DELETE FROM duolog_inbox WHERE consumer = ? AND message = ? AND done_at IS NULL'
    this.#database.prepare(forget).run(consumer, messageId)
  }

  async begun(consumer: string): Promise<readonly string[]> {
    const find = 'SELECT message FROM duolog_inbox WHERE consumer = ? AND done_at IS NULL ORDER BY sequence'
    return this.#database
      .prepare(find)
      .all(consumer)
      .map(({ message }) => String(message))
  }

  inTransaction(consumer: string, messageId: string, effect: (database: InboxDatabase) => void): boolean {
    checkName('consumer', consumer)
    checkName('messageId', messageId)
    return this.#transact(() => {
      if (this.#known(consumer, messageId) === 'done') return false
      effect(this.#database)
      reach('inbox.transaction.effect')
      this.#mark(consumer, messageId)
      return true
    })
  }

  async close(): Promise<void> {
    this.#close()
  }

  #known(consumer: string, messageId: string): InboxEntry {
    const find = 'SELECT done_at FROM duolog_inbox WHERE consumer = ? AND message = ?'
    const row = this.#database.prepare(find).get(consumer, messageId)
    if (row === undefined) return 'new'
    return row.done_at === null ? 'begun' : 'done'
  }

  /** A new place at the end: the window counts from when it was done. */
  #mark(consumer: string, messageId: string): void {
    const { maxMessages = DEFAULT_MAX_MESSAGES, maxAgeMs } = this.#window
    this.#database
      .prepare('INSERT OR REPLACE INTO duolog_inbox (consumer, message, done_at) VALUES (?, ?, ?)')
      .run(consumer, messageId, systemClock.now())
    if (this.#finished++ % Math.min(PRUNE_EVERY, maxMessages) > 0) return
    const prune = (which: string, value: number) =>
      this.#database
        .prepare(`DELETE FROM duolog_inbox WHERE consumer = ? AND done_at IS NOT NULL AND ${which}`)
        .run(consumer, value)
    prune(`sequence <= (${BEYOND})`, maxMessages)
    if (maxAgeMs !== undefined) prune('done_at < ?', systemClock.now() - maxAgeMs)
  }

  #transact<T>(work: () => T): T {
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      this.#database.exec('COMMIT')
      return result
    } catch (error) {
      this.#database.exec('ROLLBACK')
      throw error
    }
  }
}

/** The newest of those that are too many. */
const BEYOND =
  'SELECT d.sequence FROM duolog_inbox AS d WHERE d.consumer = duolog_inbox.consumer AND d.done_at IS NOT NULL ' +
  'ORDER BY d.sequence DESC LIMIT 1 OFFSET ?'

function notAnInbox(what: string, cause: unknown): DuologError {
  return new DuologError('NOT_AN_INBOX', `There is no inbox in ${what}, and none can be made there: ${String(cause)}`, {
    cause,
  })
}
