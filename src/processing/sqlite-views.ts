import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { DuologError } from '../core/errors.ts'
import { uuidV7 } from '../core/ids.ts'
import { reach } from '../core/reach.ts'
import { systemClock, systemRandom } from '../store/system.ts'
import { WakeUps } from '../store/wake-ups.ts'
import { checkpointFenced } from './checkpoint-fenced.ts'
import type { ListRowsOptions, ViewBuild, ViewChange, ViewRow, ViewStore } from './view-store.ts'

/*
 * Views in a SQLite file of their own (docs/decisions/0006-views-and-checkpoints.md), for several processes on one
 * machine.
 *
 * V1 V2 One IMMEDIATE transaction compares the checkpoint, changes the rows and moves it. The file is not flushed at
 *       every commit: what a power cut takes away, it takes with its checkpoint, and the log has it still.
 */

/** "duov": in the file's header. */
const APPLICATION_ID = 0x64756f76
const FORMAT_VERSION = 1
const BUSY_TIMEOUT_MS = 10_000
/** How often a waiting reader looks whether another process changed the file. */
const LOOK_FOR_CHANGES_MS = 20

const TABLES = `
CREATE TABLE store (id TEXT NOT NULL) STRICT;
CREATE TABLE builds (
  generation INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  live INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX live_build ON builds (name) WHERE live = 1;
CREATE TABLE checkpoints (
  generation INTEGER NOT NULL,
  topic TEXT NOT NULL,
  partition INTEGER NOT NULL,
  next_offset INTEGER NOT NULL,
  PRIMARY KEY (generation, topic, partition)
) STRICT, WITHOUT ROWID;
CREATE TABLE rows (
  generation INTEGER NOT NULL,
  key TEXT NOT NULL,
  data TEXT NOT NULL,
  PRIMARY KEY (generation, key)
) STRICT, WITHOUT ROWID;
`

/**
 * Opens views in a SQLite file; makes it when missing. Several processes may open the same file: they share the work.
 *
 * @throws NOT_A_VIEW_STORE for a file that holds something else; DEPENDENCY_MISSING before Node.js 22.13.
 */
export async function sqliteViews(path: string): Promise<ViewStore> {
  const { DatabaseSync } = await import('node:sqlite').catch((cause: unknown) => {
    throw new DuologError(
      'DEPENDENCY_MISSING',
      `Views in a file need Node.js 22.13 or newer; this is ${process.version}.`,
      {
        cause,
      },
    )
  })
  mkdirSync(dirname(path), { recursive: true })
  const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS })
  try {
    prepare(db, path)
    return new SqliteViews(db)
  } catch (error) {
    db.close()
    throw error
  }
}

function prepare(db: DatabaseSync, path: string): void {
  try {
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
    transact(db, () => createOrIdentify(db, path))
  } catch (error) {
    throw error instanceof DuologError ? error : notViews(path, error)
  }
}

function createOrIdentify(db: DatabaseSync, path: string): void {
  const applicationId = Number(db.prepare('PRAGMA application_id').get()?.application_id)
  const format = Number(db.prepare('PRAGMA user_version').get()?.user_version)
  const tables = Number(db.prepare('SELECT count(*) AS n FROM sqlite_master').get()?.n)
  if (applicationId === APPLICATION_ID && format === FORMAT_VERSION) return
  if (applicationId !== 0 || tables > 0) throw notViews(path, undefined)
  db.exec(TABLES)
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT_VERSION}`)
  db.prepare('INSERT INTO store (id) VALUES (?)').run(uuidV7(systemClock.now(), systemRandom))
}

function notViews(path: string, cause: unknown): DuologError {
  return new DuologError(
    'NOT_A_VIEW_STORE',
    `"${path}" is not a file of views in a format this version knows; it was left as it is. Name another file: views ` +
      'are built from the log.',
    { cause },
  )
}

function transact<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    db.exec('COMMIT')
    return result
  } catch (error) {
    db.exec('ROLLBACK')
    throw error
  }
}

interface Waiting {
  readonly generation: number
  readonly change: ViewChange
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

class SqliteViews implements ViewStore {
  readonly id: string
  readonly #db: DatabaseSync
  readonly #sql: ReturnType<typeof statements>
  readonly #wakeUps = new WakeUps()
  readonly #waiting: Waiting[] = []
  #seenVersion = -1
  #closed = false

  constructor(db: DatabaseSync) {
    this.#db = db
    this.#sql = statements(db)
    this.id = String(db.prepare('SELECT id FROM store').get()?.id)
  }

  get generation(): number {
    return this.#wakeUps.generation
  }

  async live(name: string): Promise<ViewBuild | undefined> {
    return toBuild(this.#sql.findLive.get(name))
  }

  async unfinished(name: string, version: number): Promise<ViewBuild | undefined> {
    return toBuild(this.#sql.findUnfinished.get(name, version))
  }

  async openLive(name: string, version: number): Promise<ViewBuild> {
    return transact(this.#db, () => toBuild(this.#sql.findLive.get(name)) ?? this.#add(name, version, 1))
  }

  async exists({ generation }: ViewBuild): Promise<boolean> {
    return this.#hasBuild(generation)
  }

  #hasBuild(generation: number): boolean {
    return this.#sql.findBuild.get(generation) !== undefined
  }

  async createBuild(name: string, version: number): Promise<ViewBuild> {
    return transact(this.#db, () => this.#add(name, version, 0))
  }

  #add(name: string, version: number, live: 0 | 1): ViewBuild {
    const { lastInsertRowid } = this.#sql.addBuild.run(name, version, live)
    return { name, version, generation: Number(lastInsertRowid) }
  }

  /** With what else of this turn is to be applied: partitions that are woken together share a transaction. */
  apply({ generation }: ViewBuild, change: ViewChange): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ generation, change, resolve, reject })
      if (this.#waiting.length === 1) process.nextTick(() => this.#applyWaiting())
    })
  }

  #applyWaiting(): void {
    const batch = this.#waiting.splice(0)
    if (batch.length > 0) this.#applyAll(batch)
  }

  #applyAll(batch: readonly Waiting[]): void {
    const refusals = this.#tryApply(batch)
    if (refusals === undefined) return
    reach('views.apply.committed')
    for (const [index, { resolve, reject }] of batch.entries()) {
      const refusal = refusals[index]
      if (refusal === undefined) resolve()
      else reject(refusal)
    }
    this.#wakeUps.wakeAll()
  }

  /** Of each, or nothing where the transaction failed: who is to blame shows alone. */
  #tryApply(batch: readonly Waiting[]): (DuologError | undefined)[] | undefined {
    try {
      return transact(this.#db, () => batch.map((waiting) => this.#applyOne(waiting)))
    } catch (error) {
      if (batch.length > 1) for (const waiting of batch) this.#applyAll([waiting])
      else for (const { reject } of batch) reject(error)
      return undefined
    }
  }

  /** V2: a refusal is a value here, and has written nothing; what is thrown undoes the transaction. */
  #applyOne({ generation, change }: Waiting): DuologError | undefined {
    const { topic, partition, from, to } = change
    const sql = this.#sql
    const stored = sql.findCheckpoint.get(generation, topic, partition)?.next_offset
    const isAt = (stored === undefined ? undefined : Number(stored)) === from
    if (!isAt || !this.#hasBuild(generation)) return checkpointFenced('view', change)
    for (const [key, row] of change.rows((key) => parsed(sql.findRow.get(generation, key)))) {
      if (row === undefined) sql.removeRow.run(generation, key)
      else sql.putRow.run(generation, key, JSON.stringify(row))
    }
    sql.putCheckpoint.run(generation, topic, partition, to)
    reach('views.apply.written')
    return undefined
  }

  async checkpoints({ generation }: ViewBuild) {
    return this.#sql.listCheckpoints.all(generation).map((row) => ({
      topic: String(row.topic),
      partition: Number(row.partition),
      offset: Number(row.next_offset),
    }))
  }

  async promote(build: ViewBuild): Promise<boolean> {
    const { name, generation } = build
    const sql = this.#sql
    const promoted = transact(this.#db, () => {
      if (!this.#hasBuild(generation) || sql.findBehind.get(generation, name) !== undefined) return false
      for (const other of sql.listOthers.all(name, generation)) this.#remove(Number(other.generation))
      sql.setLive.run(generation)
      reach('views.promote.written')
      return true
    })
    this.#wakeUps.wakeAll()
    return promoted
  }

  #remove(generation: number): void {
    this.#sql.removeRows.run(generation)
    this.#sql.removeCheckpoints.run(generation)
    this.#sql.removeBuild.run(generation)
  }

  async get({ generation }: ViewBuild, key: string): Promise<unknown> {
    return parsed(this.#sql.findRow.get(generation, key))
  }

  async list({ generation }: ViewBuild, options: ListRowsOptions = {}): Promise<readonly ViewRow[]> {
    const { prefix = '', after = '', limit = 1000 } = options
    const rows = this.#sql.listRows.all(generation, after, prefix, prefix, prefix, limit)
    return rows.map((row) => ({ key: String(row.key), row: parsed(row) }))
  }

  /** Other processes change the file without a word: while somebody waits, its version is asked for. */
  async changed(seen: number, signal: AbortSignal): Promise<void> {
    while (seen === this.generation && !signal.aborted && !this.#closed) {
      const version = Number(this.#sql.dataVersion.get()?.data_version)
      const foreign = this.#seenVersion !== version
      this.#seenVersion = version
      if (foreign) this.#wakeUps.wakeAll()
      await this.#wakeUps.after(seen, { signal, timeoutMs: LOOK_FOR_CHANGES_MS })
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#applyWaiting()
    this.#closed = true
    this.#wakeUps.wakeAll()
    this.#db.close()
  }
}

function statements(db: DatabaseSync) {
  const build = 'SELECT generation, name, version FROM builds'
  return {
    dataVersion: db.prepare('PRAGMA data_version'),
    findLive: db.prepare(`${build} WHERE name = ? AND live = 1`),
    findUnfinished: db.prepare(`${build} WHERE name = ? AND version = ? AND live = 0 ORDER BY generation DESC LIMIT 1`),
    findBuild: db.prepare(`${build} WHERE generation = ?`),
    addBuild: db.prepare('INSERT INTO builds (name, version, live) VALUES (?, ?, ?)'),
    findCheckpoint: db.prepare(
      'SELECT next_offset FROM checkpoints WHERE generation = ? AND topic = ? AND partition = ?',
    ),
    listCheckpoints: db.prepare(
      'SELECT topic, partition, next_offset FROM checkpoints WHERE generation = ? ORDER BY topic, partition',
    ),
    putCheckpoint: db.prepare(
      'INSERT OR REPLACE INTO checkpoints (generation, topic, partition, next_offset) VALUES (?, ?, ?, ?)',
    ),
    findRow: db.prepare('SELECT data FROM rows WHERE generation = ? AND key = ?'),
    putRow: db.prepare('INSERT OR REPLACE INTO rows (generation, key, data) VALUES (?, ?, ?)'),
    removeRow: db.prepare('DELETE FROM rows WHERE generation = ? AND key = ?'),
    listRows: db.prepare(
      'SELECT key, data FROM rows WHERE generation = ? AND key > ? AND key >= ? AND substr(key, 1, length(?)) = ? ' +
        'ORDER BY key LIMIT ?',
    ),
    findBehind: db.prepare(
      'SELECT 1 FROM builds JOIN checkpoints AS mine ON mine.generation = builds.generation ' +
        'LEFT JOIN checkpoints AS theirs ON theirs.generation = ? AND theirs.topic = mine.topic AND ' +
        'theirs.partition = mine.partition WHERE name = ? AND live = 1 AND ' +
        'mine.next_offset > coalesce(theirs.next_offset, 0) LIMIT 1',
    ),
    listOthers: db.prepare(`${build} WHERE name = ? AND generation <> ?`),
    setLive: db.prepare('UPDATE builds SET live = 1 WHERE generation = ?'),
    removeRows: db.prepare('DELETE FROM rows WHERE generation = ?'),
    removeCheckpoints: db.prepare('DELETE FROM checkpoints WHERE generation = ?'),
    removeBuild: db.prepare('DELETE FROM builds WHERE generation = ?'),
  }
}

type Row = Readonly<Record<string, unknown>> | undefined

function toBuild(row: Row): ViewBuild | undefined {
  if (row === undefined) return undefined
  return { name: String(row.name), version: Number(row.version), generation: Number(row.generation) }
}

function parsed(row: Row): unknown {
  return row === undefined ? undefined : JSON.parse(String(row.data))
}
