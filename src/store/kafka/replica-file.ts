import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { uptime } from 'node:os'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { DuologError } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import { reach } from '../../core/reach.ts'
import { invalidArgument } from '../check-arguments.ts'
import type { Sqlite } from '../sqlite/open-database.ts'
import { isBusy } from '../sqlite/sqlite-errors.ts'

/*
 * The file of a replica. It holds nothing that the log does not hold, so it is not flushed to the disk at every step,
 * and whatever is not certainly whole is deleted and made anew.
 *
 * R3 One process at a time has a file: SQLite's own lock, which ends with the process. Others take the next file or
 *    make one, so several processes may share a folder. Names are never used twice: who deletes a file that is open
 *    harms nobody.
 * R4 A process that is killed leaves a whole file: what it wrote is with the operating system, and SQLite's journal
 *    undoes half a transaction. When the machine went down with it, or the journal is gone, the file is not trusted.
 */

export interface ReplicaPlace {
  readonly directory: string
  /** The event topic as the cluster calls it. */
  readonly topic: string
  readonly partition: number
  readonly partitionCount: number
}

export interface ReplicaFile {
  readonly db: DatabaseSync
  readonly path: string
}

export interface ReplicaFileTools {
  readonly sqlite: Sqlite
  readonly place: ReplicaPlace
  readonly logger: Logger
}

/** "dure": tells a replica from a log. */
const APPLICATION_ID = 0x64757265
/** Raise it when what is kept changes: files of other versions are made anew. */
export const REPLICA_FORMAT = 1

const SCHEMA = `
CREATE TABLE streams (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;
-- position: the offset in the partition. correlation_id and headers: NULL where they are as by default.
CREATE TABLE events (
  position INTEGER PRIMARY KEY,
  stream INTEGER NOT NULL,
  stream_version INTEGER NOT NULL,
  event_id TEXT NOT NULL,
  type TEXT NOT NULL,
  version INTEGER NOT NULL,
  timestamp TEXT NOT NULL,
  correlation_id TEXT,
  causation_id TEXT,
  headers TEXT,
  data TEXT NOT NULL,
  idempotency_key TEXT
) STRICT;
CREATE UNIQUE INDEX events_of_stream ON events (stream, stream_version);
-- One row. whole: closed in order and flushed. boot_ms: when the machine started that writes it.
CREATE TABLE state (
  identity TEXT NOT NULL,
  position INTEGER NOT NULL,
  whole INTEGER NOT NULL,
  boot_ms INTEGER NOT NULL
) STRICT;
`

const CACHE_KIB = 16 * 1024
const SUFFIX = '.replica'
/** Two looks at when the machine started differ by less, and two starts by more. */
const SAME_BOOT_MS = 30_000
const MAX_LABEL = 180
const MAX_ATTEMPTS = 5

/** A file left by an earlier process, or a new one. */
export function openReplicaFile(tools: ReplicaFileTools): ReplicaFile {
  for (const path of filesOf(tools.place)) {
    const file = openLeft(path, tools)
    if (file !== undefined) return file
  }
  return createReplicaFile(tools)
}

export function createReplicaFile({ sqlite, place }: ReplicaFileTools): ReplicaFile {
  const { db, path } = lockNew(sqlite, place)
  try {
    db.exec(`BEGIN; ${SCHEMA}; PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${REPLICA_FORMAT}`)
    db.prepare('INSERT INTO state VALUES (?, 0, 0, ?)').run(identityOf(place), bootMs())
    reach('kafka.replica.created')
    db.exec('COMMIT')
    return { db, path }
  } catch (error) {
    db.close()
    throw error
  }
}

/** Another process that looks for a file may see this one while it is still empty, and be quicker. */
function lockNew(sqlite: Sqlite, place: ReplicaPlace, attempt = 1): ReplicaFile {
  const path = join(place.directory, `${labelOf(place)}.${randomBytes(6).toString('hex')}${SUFFIX}`)
  try {
    return { db: lock(sqlite, path), path }
  } catch (error) {
    if (!isBusy(error) || attempt === MAX_ATTEMPTS) throw error
    return lockNew(sqlite, place, attempt + 1)
  }
}

/** Flushes it, so that it may be trusted even if the machine goes down now. */
export function closeReplicaFile({ db }: ReplicaFile): void {
  db.exec('PRAGMA synchronous = FULL')
  db.exec('UPDATE state SET whole = 1')
  reach('kafka.replica.closed')
  db.close()
}

/** Files have names of their own, so nothing that is open elsewhere is hit. */
export function discardReplicaFile({ db, path }: ReplicaFile): void {
  db.close()
  deleteFile(path)
}

/** @throws INVALID_ARGUMENT */
export function checkedReplica(replica: unknown): string | undefined {
  if (replica === undefined) return undefined
  const directory = typeof replica === 'object' && replica !== null && Reflect.get(replica, 'directory')
  if (typeof directory === 'string' && directory !== '') return directory
  throw invalidArgument("replica must be { directory: 'a folder on a local disk' }.")
}

/** @throws REPLICA_UNAVAILABLE */
export function prepareFolder(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true })
  } catch (error) {
    throw replicaUnavailable(directory, error)
  }
}

export function replicaUnavailable(path: string, cause: unknown): DuologError {
  const reason = cause instanceof Error ? ` (${cause.message})` : ''
  const message = `The replica "${path}" cannot be written${reason}. It is a cache in a local folder: free space or choose another folder; the log on Kafka is not affected.`
  return new DuologError('REPLICA_UNAVAILABLE', message, { cause, retry: { afterMs: 5000 } })
}

/** Nothing: another process has it, or it was no good and is gone. */
function openLeft(path: string, tools: ReplicaFileTools): ReplicaFile | undefined {
  const journalThere = existsSync(`${path}-journal`)
  let file: ReplicaFile | undefined
  try {
    file = { db: lock(tools.sqlite, path), path }
    const flaw = flawOf(file.db, journalThere, tools.place)
    if (flaw === undefined) return inUse(file)
    return void discard(file, flaw, tools.logger)
  } catch (error) {
    if (isBusy(error)) return void file?.db.close()
    return void discard(file ?? { path }, String(error), tools.logger)
  }
}

function discard({ db, path }: Partial<ReplicaFile> & { path: string }, reason: string, logger: Logger): void {
  db?.close()
  deleteFile(path)
  logger.warn({ path, reason }, `A replica could not be used and is made anew from the log: ${reason}`)
}

function deleteFile(path: string): void {
  for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
}

/** From here on a crash of the machine makes it untrusted; this is on the disk before anything else is written. */
function inUse(file: ReplicaFile): ReplicaFile {
  file.db.exec('PRAGMA synchronous = FULL')
  file.db.prepare('UPDATE state SET whole = 0, boot_ms = ?').run(bootMs())
  file.db.exec('PRAGMA synchronous = OFF')
  return file
}

/** @throws SQLite's error when another process has the file, or it is no database. */
function lock({ DatabaseSync }: Sqlite, path: string): DatabaseSync {
  const db = new DatabaseSync(path, { enableForeignKeyConstraints: false })
  try {
    db.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = OFF; PRAGMA cache_size = ${-CACHE_KIB}`)
    db.exec('PRAGMA journal_mode = PERSIST; PRAGMA temp_store = MEMORY; BEGIN EXCLUSIVE; COMMIT')
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function flawOf(db: DatabaseSync, journalThere: boolean, place: ReplicaPlace): string | undefined {
  const format = `${pragma(db, 'application_id')}/${pragma(db, 'user_version')}`
  if (format !== `${APPLICATION_ID}/${REPLICA_FORMAT}`) return 'it has another format'
  const state = db.prepare('SELECT identity, whole, boot_ms FROM state').get()
  if (state === undefined) return 'it was never finished'
  if (state.identity !== identityOf(place)) return `it is of another log (${state.identity})`
  if (state.whole === 1) return undefined
  if (Math.abs(Number(state.boot_ms) - bootMs()) > SAME_BOOT_MS) return 'the machine went down while it was in use'
  return journalThere ? undefined : 'its journal is gone'
}

function pragma(db: DatabaseSync, name: 'application_id' | 'user_version'): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name])
}

function filesOf(place: ReplicaPlace): readonly string[] {
  const start = `${labelOf(place)}.`
  const names = readdirSync(place.directory).filter(
    (name) => name.startsWith(start) && /^[0-9a-f]{12}[.]replica$/.test(name.slice(start.length)),
  )
  return names.sort().map((name) => join(place.directory, name))
}

/** Within what a file's name may be long. */
function labelOf({ topic, partition }: ReplicaPlace): string {
  const short = topic.length <= MAX_LABEL ? topic : `${topic.slice(0, MAX_LABEL)}~${crc32(topic).toString(16)}`
  return `${short}.${partition}`
}

function identityOf({ topic, partition, partitionCount }: ReplicaPlace): string {
  return `${topic}/${partition} of ${partitionCount}`
}

function bootMs(): number {
  return Math.round(Date.now() - uptime() * 1000)
}
