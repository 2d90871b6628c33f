import { closeSync, existsSync, mkdirSync, openSync, readSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { DuologError } from '../../core/errors.ts'
import { reach } from '../../core/reach.ts'
import { retryWhileBusy } from './busy.ts'
import { createSchema, identify } from './schema.ts'
import { isNotADatabase, logCorrupt, logUnavailable, notALog, toLogError } from './sqlite-errors.ts'

/*
 * From a path to a database that is a log of ours: durable (WAL, synchronous FULL), checked before the first write.
 * Killed at any moment here, the file is either untouched, empty or a whole log.
 */

export type Sqlite = typeof import('node:sqlite')

/** @throws NOT_A_LOG, LOG_CORRUPT, LOG_NEWER, LOG_BUSY, LOG_UNAVAILABLE. */
export async function openDatabase(sqlite: Sqlite, path: string, busyTimeoutMs: number): Promise<DatabaseSync> {
  createFolder(path)
  const db = openFile(sqlite, path)
  try {
    await prepareLog(db, path, busyTimeoutMs)
    return db
  } catch (error) {
    db.close()
    throw isNotADatabase(error) ? strangeFile(path, error) : toLogError(error, path)
  }
}

export async function loadSqlite(): Promise<Sqlite> {
  try {
    return await import('node:sqlite')
  } catch (error) {
    throw new DuologError(
      'DEPENDENCY_MISSING',
      `A log in a file needs Node.js 22.13 or newer; this is ${process.version}.`,
      {
        cause: error,
      },
    )
  }
}

function createFolder(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true })
  } catch (error) {
    throw logUnavailable(path, error)
  }
}

function openFile({ DatabaseSync }: Sqlite, path: string): DatabaseSync {
  try {
    return new DatabaseSync(path, { enableForeignKeyConstraints: false })
  } catch (error) {
    throw toLogError(error, path)
  }
}

async function prepareLog(db: DatabaseSync, path: string, busyTimeoutMs: number): Promise<void> {
  const retry = <T>(step: () => T) => retryWhileBusy(step, path, busyTimeoutMs)
  // Before anything that could write: a stranger's file stays as it is.
  const kind = await retry(() => identify(db, path))
  await retry(() => useWriteAheadLog(db, path))
  setPragmas(db)
  if (kind === 'log') return
  reach('file.open.empty')
  await retry(() => fill(db, path))
  reach('file.open.created')
}

function useWriteAheadLog(db: DatabaseSync, path: string): void {
  const mode = db.prepare('PRAGMA journal_mode = WAL').get()?.journal_mode
  if (mode !== 'wal')
    throw logUnavailable(path, new Error(`SQLite cannot use its write-ahead log there, only "${mode}"`))
}

function setPragmas(db: DatabaseSync): void {
  db.exec('PRAGMA synchronous = FULL')
  // On macOS a plain fsync leaves the data in the drive's cache.
  db.exec('PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON')
  db.exec(`PRAGMA cache_size = ${-CACHE_KIB}; PRAGMA temp_store = MEMORY`)
  db.exec(`PRAGMA wal_autocheckpoint = ${WAL_PAGES}; PRAGMA journal_size_limit = ${WAL_KEPT_BYTES}`)
}

const CACHE_KIB = 16 * 1024
/** After so many pages (4 KiB) the log's tail moves into the file itself. Larger: fewer rewrites of the same pages. */
const WAL_PAGES = 2000
const WAL_KEPT_BYTES = 32 * 1024 * 1024

function fill(db: DatabaseSync, path: string): void {
  db.exec('BEGIN IMMEDIATE')
  try {
    if (identify(db, path) === 'new') createSchema(db)
    reach('file.open.filled')
    db.exec('COMMIT')
  } catch (error) {
    db.exec('ROLLBACK')
    throw error
  }
}

const MAGIC = 'SQLite format 3\0'

/** Not a database by SQLite's word: ours and cut short, or something else? The first bytes tell. */
function strangeFile(path: string, cause: unknown): DuologError {
  const head = existsSync(path) ? firstBytes(path) : ''
  if (head.length > 0 && MAGIC.startsWith(head)) return logCorrupt(path, cause)
  return notALog(path, 'not a SQLite database')
}

function firstBytes(path: string): string {
  const file = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(MAGIC.length)
    return bytes.toString('latin1', 0, readSync(file, bytes))
  } finally {
    closeSync(file)
  }
}
