import { DuologError } from '../../core/errors.ts'

/*
 * From SQLite's result codes to what a caller can act on. https://www.sqlite.org/rescode.html
 */

const ERROR = 1
const BUSY = 5
const LOCKED = 6
const READONLY = 8
const IOERR = 10
const CORRUPT = 11
const FULL = 13
const CANTOPEN = 14
const TOOBIG = 18
const CONSTRAINT = 19
const MISMATCH = 20
const NOTADB = 26
const DAMAGED = new Set([ERROR, CORRUPT, CONSTRAINT, MISMATCH, NOTADB])

/** SQLite's primary result code, or nothing when the error is not SQLite's. */
function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined
  return error.errcode & 0xff
}

/** Somebody else holds the lock: nothing was done, try again. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error)
  return code === BUSY || code === LOCKED
}

/** The file is no SQLite database, or not a whole one. */
export function isNotADatabase(error: unknown): boolean {
  return resultCode(error) === NOTADB
}

export function isSqliteError(error: unknown): boolean {
  return resultCode(error) !== undefined
}

/** The file is no whole database of the schema we expect: SQLite says so, or it denies what our statements rest on. */
export function isDamaged(error: unknown): boolean {
  return DAMAGED.has(resultCode(error) ?? 0)
}

/** The error a caller gets; what is not SQLite's passes unchanged. */
export function toLogError(error: unknown, path: string): unknown {
  switch (resultCode(error)) {
    case CORRUPT:
    case NOTADB:
      return logCorrupt(path, error)
    case FULL:
      return logFull(path, error)
    case BUSY:
    case LOCKED:
      return logBusy(path, error)
    case READONLY:
    case IOERR:
    case CANTOPEN:
      return logUnavailable(path, error)
    case TOOBIG:
      return new DuologError(
        'INVALID_EVENT',
        'An event is larger than a file can hold (1 GB). Store it elsewhere and append a reference.',
        { cause: error },
      )
    default:
      return error
  }
}

export function logCorrupt(path: string, cause?: unknown): DuologError {
  return new DuologError(
    'LOG_CORRUPT',
    `"${path}" is damaged or only half written${because(cause)}. Nothing was changed. Put a copy of it back (with its -wal file), ` +
      'or save what is readable with: sqlite3 FILE ".recover" | sqlite3 NEW_FILE',
    { cause },
  )
}

export function notALog(path: string, what: string): DuologError {
  return new DuologError(
    'NOT_A_LOG',
    `"${path}" is ${what}, not a log of duolog. It was left as it is; choose another file.`,
  )
}

export function logNewer(path: string, found: number, known: number): DuologError {
  return new DuologError(
    'LOG_NEWER',
    `"${path}" has format ${found}, this version of duolog knows formats up to ${known}. It was left as it is; update duolog.`,
  )
}

export function logBusy(path: string, cause?: unknown): DuologError {
  return new DuologError(
    'LOG_BUSY',
    `"${path}" has been locked by another program for too long; nothing was written. Find the program that holds a ` +
      'transaction open (an open SQLite shell, a backup tool) and end it, then try again.',
    { retry: { afterMs: 1000 }, cause },
  )
}

function logFull(path: string, cause: unknown): DuologError {
  return new DuologError(
    'LOG_FULL',
    `There is no room to append to "${path}"${because(cause)}; nothing of this append was written. Free space on its disk, then try again.`,
    { retry: { afterMs: 5000 }, cause },
  )
}

export function logUnavailable(path: string, cause?: unknown): DuologError {
  return new DuologError(
    'LOG_UNAVAILABLE',
    `"${path}" cannot be opened, read or written${because(cause)}. It must be a file on a local disk, in a folder this ` +
      'program may write to.',
    { cause },
  )
}

function because(cause: unknown): string {
  return cause instanceof Error ? ` (${cause.message})` : ''
}
