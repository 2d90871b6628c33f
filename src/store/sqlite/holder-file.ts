import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import type { Sqlite } from './open-database.ts'
import { isBusy } from './sqlite-errors.ts'

/*
 * A file that says "this process lives": locked as long as it does, since the kernel drops the locks of the dead at
 * once, however they died. Node has no file locks, SQLite has: each file is an empty database under an exclusive lock.
 *
 * Only SQLite may ever open these files: by POSIX, closing any descriptor of a file drops the process's locks on it.
 */

export interface HolderFile {
  readonly id: string
  /** "Still here", as the file's time of change. */
  touch(): void
  release(): void
}

/** `left`: its process has ended. `missing`: swept away, or never here. */
export type HolderState = 'held' | 'left' | 'missing'

export interface HolderFolder {
  hold(): HolderFile
  /** Removes nothing. */
  look(id: string): HolderState
  /** Does a living process hold the file? What the dead left behind is removed. */
  isHeld(id: string): boolean
  /** When the holder last said it is here (Unix milliseconds); nothing when there is no such file. */
  touchedAtMs(id: string): number | undefined
  /** Removes the files of the dead; of those only that were not touched for so long. */
  sweep(untouchedMs?: number): void
}

const SUFFIX = '.alive'

export function holderFolder({ DatabaseSync }: Sqlite, folder: string): HolderFolder {
  const pathOf = (id: string) => join(folder, id + SUFFIX)

  function open(path: string, timeoutMs: number): DatabaseSync {
    const db = new DatabaseSync(path)
    db.exec(`PRAGMA busy_timeout = ${timeoutMs}`)
    return db
  }

  function isLocked(db: DatabaseSync): boolean {
    try {
      // A shared lock: those who ask at the same time do not take each other for the living.
      db.exec('BEGIN; SELECT 1 FROM sqlite_master')
      return false
    } catch (error) {
      if (isBusy(error)) return true
      throw error
    }
  }

  /** Under the shared lock, so that nobody can have taken it meanwhile. */
  function look(id: string, onLeft = (_path: string) => {}): HolderState {
    const path = pathOf(id)
    if (!existsSync(path)) return 'missing'
    const db = open(path, 0)
    try {
      if (isLocked(db)) return 'held'
      onLeft(path)
      return 'left'
    } finally {
      db.close()
    }
  }

  const isHeld = (id: string) => look(id, remove) === 'held'
  const touchedAtMs = (id: string) => statSync(pathOf(id), { throwIfNoEntry: false })?.mtimeMs

  function tryHold(id: string): DatabaseSync | undefined {
    const path = pathOf(id)
    const db = open(path, HOLD_TIMEOUT_MS)
    // Nothing is ever written: a journal would only be one more file to leave behind.
    db.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    // Somebody sweeping may have seen the file before it was locked: then the lock is on nothing.
    if (existsSync(path)) return db
    db.close()
    return undefined
  }

  return {
    isHeld,
    look: (id) => look(id),
    hold() {
      mkdirSync(folder, { recursive: true })
      for (;;) {
        const id = randomUUID()
        const db = tryHold(id)
        if (db !== undefined) return holder(id, pathOf(id), db)
      }
    },
    touchedAtMs,
    sweep(untouchedMs = 0) {
      if (!existsSync(folder)) return
      const names = readdirSync(folder).filter((name) => name.endsWith(SUFFIX))
      const ids = names.map((name) => name.slice(0, -SUFFIX.length))
      const isOld = (id: string) => untouchedMs === 0 || Date.now() - (touchedAtMs(id) ?? 0) >= untouchedMs
      for (const id of ids) if (isOld(id)) isHeld(id)
    },
  }
}

const HOLD_TIMEOUT_MS = 5000

function holder(id: string, path: string, db: DatabaseSync): HolderFile {
  return {
    id,
    touch() {
      const now = new Date()
      utimesSync(path, now, now)
    },
    release() {
      remove(path)
      db.close()
      // Where an open file cannot be removed.
      remove(path)
    },
  }
}

function remove(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch {
    // Windows: still open somewhere. The next sweep gets it.
  }
}
