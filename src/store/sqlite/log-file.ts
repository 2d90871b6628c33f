import type { DatabaseSync } from 'node:sqlite'
import type { DuologError } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import type { Appended } from '../event-store.ts'
import type { PreparedAppend } from '../prepare-append.ts'
import type { SnapshotTable } from '../snapshots.ts'
import type { StoreOptions } from '../store-options.ts'
import { type TopicLayout, topicLayout } from '../topic-layout.ts'
import { VersionWaiters, WakeUps } from '../wake-ups.ts'
import { warningLogger } from '../warning-logger.ts'
import { appendWriter } from './append-writer.ts'
import { DEFAULT_BUSY_TIMEOUT_MS, retryWhileBusy } from './busy.ts'
import { type ChangeWatch, changeWatch } from './change-watch.ts'
import { GroupCommit, type Work } from './group-commit.ts'
import { type GroupTable, groupTable } from './group-table.ts'
import { holderFolder } from './holder-file.ts'
import { type Holders, holders } from './holders.ts'
import { InlineTable } from './inline-table.ts'
import { checkTopics, type LogPlaces, logPlaces } from './log-places.ts'
import { loadSqlite, openDatabase } from './open-database.ts'
import { type OwnerTable, ownerTable } from './owner-table.ts'
import { partitionReader, type ReadPartition } from './partition-reader.ts'
import { RecentRecords } from './recent-records.ts'
import { placeKey } from './rows.ts'
import { snapshotTable } from './snapshot-table.ts'
import { toLogError } from './sqlite-errors.ts'
import { type StreamReader, streamReader } from './stream-reader.ts'

/*
 * One open log: its connection, what waits to be written, who waits for news. A store is this with the port's manners.
 */

export interface SqliteLocation {
  readonly path: string
  /** How long to wait for another program's lock before LOG_BUSY, milliseconds. Default 60,000. */
  readonly busyTimeoutMs?: number
}

const DEFAULT_LEASE_MS = 10_000

export async function openLogFile(location: SqliteLocation, options: StoreOptions): Promise<LogFile> {
  const { path, busyTimeoutMs = DEFAULT_BUSY_TIMEOUT_MS } = location
  const sqlite = await loadSqlite()
  const db = await openDatabase(sqlite, path, busyTimeoutMs)
  const living = holders(holderFolder(sqlite, `${path}-alive`), options.leaseMs ?? DEFAULT_LEASE_MS)
  const log = new LogFile({ db, path, busyTimeoutMs, holders: living, options })
  try {
    await log.defineTopics()
    return log
  } catch (error) {
    await log.close()
    throw error
  }
}

interface LogFileParts {
  readonly db: DatabaseSync
  readonly path: string
  readonly busyTimeoutMs: number
  readonly holders: Holders
  readonly options: StoreOptions
}

export class LogFile {
  readonly layout: TopicLayout
  readonly logger: Logger
  readonly leaseMs: number
  readonly holders: Holders
  readonly places: LogPlaces
  readonly groups: GroupTable
  readonly owners: OwnerTable
  readonly streams: StreamReader
  readonly readPartition: ReadPartition
  readonly snapshots: SnapshotTable
  readonly inlineViews: InlineTable
  readonly watch: ChangeWatch
  readonly versionWaiters = new VersionWaiters()
  /** Groups may have changed. */
  readonly groupChanges = new WakeUps()
  readonly #parts: LogFileParts
  readonly #commits: GroupCommit
  readonly #write: (append: PreparedAppend) => Appended
  readonly #partitionChanges = new Map<string, WakeUps>()
  readonly #written = new Set<string>()
  readonly #recent = new RecentRecords()

  constructor(parts: LogFileParts) {
    const { db, options } = parts
    this.#parts = parts
    this.layout = topicLayout(options)
    this.logger = options.logger ?? warningLogger
    this.leaseMs = options.leaseMs ?? DEFAULT_LEASE_MS
    this.holders = parts.holders
    this.places = logPlaces(db, this.layout)
    this.groups = groupTable(db, this.places)
    this.owners = ownerTable(db)
    this.readPartition = partitionReader(db, this.places, this.#recent)
    this.watch = changeWatch(db, () => this.#foreignChange())
    const attempt = <T>(read: () => T) => this.read(read)
    this.streams = streamReader({ db, places: this.places, eventTopic: this.layout.eventTopic, attempt })
    this.#commits = this.#groupCommit()
    this.snapshots = snapshotTable({ db, read: attempt, transact: (work) => this.transact(work) })
    const { places } = this
    this.inlineViews = new InlineTable({ db, places, read: attempt, transact: (work) => this.transact(work) })
    this.#write = appendWriter({
      db,
      places: this.places,
      moveCheckpoint: (checkpoint) => this.groups.move(checkpoint),
      onWritten: (topic, partition, row) => {
        const key = placeKey({ topic, partition })
        this.#written.add(key)
        this.#recent.written(key, row)
      },
    })
  }

  #groupCommit(): GroupCommit {
    const { db, path, busyTimeoutMs } = this.#parts
    return new GroupCommit({
      db,
      path,
      busyTimeoutMs,
      onBegin: () => this.places.refresh(),
      onRollback: () => {
        this.places.reset()
        this.#recent.rolledBack()
        this.#written.clear()
      },
      onCommit: () => this.#ownChange(),
    })
  }

  /** @throws TOPIC_UNSUITABLE */
  async defineTopics(): Promise<void> {
    const { options, path } = this.#parts
    const missing = () => checkTopics(this.places, this.layout, options.topics, path)
    if ((await this.read(missing)).length === 0) return
    await this.transact(() => {
      for (const name of missing()) this.places.topicToWrite(name)
    })
  }

  async append(append: PreparedAppend): Promise<Appended> {
    const { stream, events, outgoing, patience } = append
    const size = events.length + outgoing.length
    const appended = await this.#commits.run(() => this.inlineViews.with(() => this.#write(append)), {
      size,
      stream,
      ...patience,
    })
    this.versionWaiters.reached(stream, appended.currentStreamVersion)
    return appended
  }

  /** One transaction with whatever else is waiting; see `Work` for what it must keep to. */
  transact<T>(work: Work<T>): Promise<T> {
    return this.#commits.run(work)
  }

  /** Runs a read, again while a lock is in its way (rare: readers do not wait for writers). */
  async read<T>(read: () => T): Promise<T> {
    const { path, busyTimeoutMs } = this.#parts
    try {
      return await retryWhileBusy(read, path, busyTimeoutMs)
    } catch (error) {
      throw toLogError(error, path)
    }
  }

  versionOf(stream: string): number {
    const place = this.places.stream(stream)
    return place === undefined ? 0 : this.places.versionOf(place.id)
  }

  changesOf(topic: string, partition: number): WakeUps {
    const key = placeKey({ topic, partition })
    const changes = this.#partitionChanges.get(key) ?? new WakeUps()
    this.#partitionChanges.set(key, changes)
    return changes
  }

  /** Finishes what was accepted. */
  async close(): Promise<void> {
    await this.#commits.idle()
    this.watch.stop()
    this.holders.release()
    const { db, path } = this.#parts
    try {
      db.close()
    } catch (error) {
      throw toLogError(error, path)
    }
  }

  #ownChange(): void {
    this.#recent.committed()
    for (const key of this.#written) this.#partitionChanges.get(key)?.wakeAll()
    this.#written.clear()
  }

  #foreignChange(): void {
    for (const changes of this.#partitionChanges.values()) changes.wakeAll()
    this.groupChanges.wakeAll()
    const streams = this.versionWaiters.streams()
    if (streams.length === 0) return
    this.read(() => {
      for (const stream of streams) this.versionWaiters.reached(stream, this.versionOf(stream))
    }).catch((error: DuologError) => this.versionWaiters.rejectAll(error))
  }
}
