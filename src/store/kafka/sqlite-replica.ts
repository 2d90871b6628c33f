import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { reach } from '../../core/reach.ts'
import type { StreamInfo } from '../event-store.ts'
import type { StreamFacts } from '../judge-append.ts'
import { arrayRows, type EventRow } from '../sqlite/rows.ts'
import { isDamaged, isSqliteError } from '../sqlite/sqlite-errors.ts'
import { HotStreams } from './hot-streams.ts'
import {
  type EventMark,
  flawOfVersion,
  type IndexedEvent,
  type PartitionReplica,
  ReplicaLost,
} from './partition-replica.ts'
import {
  closeReplicaFile,
  createReplicaFile,
  discardReplicaFile,
  openReplicaFile,
  type ReplicaFile,
  type ReplicaFileTools,
  replicaUnavailable,
} from './replica-file.ts'
import { storeClosed } from './store-errors.ts'

/*
 * The replica in a SQLite file: a restart reads only what is new, and memory does not grow with the log.
 *
 * R1 Events and position change in one transaction.
 * R2 What SQLite calls damaged, and a stream with a gap, means that the file is lost: it is deleted, a new one takes its
 *    place, and the log fills it again.
 */

const COLUMNS =
  'position, event_id, type, version, timestamp, correlation_id, causation_id, headers, data, stream_version, position'
const STREAMS_PER_PAGE = 500
/** In one transaction while a log is read: events of many streams touch nearly every page of the index, each time. */
const MAX_PENDING_EVENTS = 50_000

export class SqliteReplica implements PartitionReplica {
  readonly #tools: ReplicaFileTools
  #open: OpenReplica
  /** Its file is gone and could not be made anew yet. */
  #gone = false
  #closed = false

  constructor(tools: ReplicaFileTools) {
    this.#tools = tools
    this.#open = this.#unlessUnavailable(() => openUsable(tools))
  }

  get position(): number {
    return this.#gone ? 0 : this.#open.position
  }

  lastEvent(): EventMark | undefined {
    return this.#ask((open) => open.lastEvent())
  }

  take(events: readonly IndexedEvent[], nextOffset: number, more = false): ReadonlyMap<number, string> {
    return this.#ask((open) => open.take(events, { nextOffset, more }))
  }

  facts(stream: string): StreamFacts {
    return {
      currentVersion: () => this.#ask((open) => open.hot.version(stream)),
      positionsOfKey: (key) => this.#ask((open) => open.hot.positionsOfKey(stream, key)),
      positionOfEvent: (eventId) => this.#ask((open) => open.hot.positionOfEvent(stream, eventId)),
    }
  }

  rows(stream: string, from: number, to: number): readonly EventRow[] {
    return this.#ask((open) => open.rows(stream, from, to))
  }

  *streams(): Generator<StreamInfo> {
    for (let after = 0; ; ) {
      const page = this.#ask((open) => open.streamsAfter(after))
      for (const { info } of page) yield info
      const last = page[page.length - 1]
      if (last === undefined) return
      after = last.id
    }
  }

  clear(): void {
    if (!this.#gone) discardReplicaFile(this.#open.file)
    this.#gone = true
    this.#open = this.#unlessUnavailable(() => new OpenReplica(createReplicaFile(this.#tools)))
    this.#gone = false
  }

  close(): void {
    this.#closed = true
    if (!this.#gone) {
      this.#unlessUnavailable(() => {
        this.#open.commit()
        closeReplicaFile(this.#open.file)
      })
    }
    this.#gone = true
  }

  #ask<T>(question: (open: OpenReplica) => T): T {
    if (this.#closed) throw storeClosed()
    if (this.#gone) this.clear()
    try {
      return question(this.#open)
    } catch (error) {
      if (isDamaged(error) || error instanceof GapInReplica) throw this.#lost(error)
      throw isSqliteError(error) ? replicaUnavailable(this.#open.file.path, error) : error
    }
  }

  #lost(cause: unknown): ReplicaLost {
    const { path } = this.#open.file
    this.#tools.logger.error({ path, error: String(cause) }, 'A replica is damaged and is made anew from the log')
    this.clear()
    return new ReplicaLost(`The replica "${path}" was damaged`, { cause })
  }

  #unlessUnavailable<T>(step: () => T): T {
    try {
      return step()
    } catch (error) {
      throw replicaUnavailable(this.#tools.place.directory, error)
    }
  }
}

/** A damaged file may say so only when it is asked for more than its first page. */
function openUsable(tools: ReplicaFileTools): OpenReplica {
  for (;;) {
    const file = openReplicaFile(tools)
    try {
      return new OpenReplica(file)
    } catch (error) {
      if (!isDamaged(error)) throw error
      tools.logger.warn({ path: file.path, error: String(error) }, 'A replica is damaged and is made anew from the log')
      discardReplicaFile(file)
    }
  }
}

class GapInReplica extends Error {}

interface Advance {
  readonly nextOffset: number
  readonly more: boolean
}

class OpenReplica {
  readonly file: ReplicaFile
  readonly hot: HotStreams
  position: number
  readonly #insertStream: StatementSync
  readonly #insertEvent: StatementSync
  readonly #moveTo: StatementSync
  readonly #findRows: (...values: number[]) => EventRow[]
  readonly #findLast: StatementSync
  readonly #findStreams: StatementSync
  #nextStreamId: number
  /** While a transaction is open: what there was before it. */
  #committed: { readonly position: number; readonly nextStreamId: number } | undefined
  #pendingEvents = 0

  constructor(file: ReplicaFile) {
    const { db } = file
    this.file = file
    this.hot = new HotStreams(db)
    this.#insertStream = db.prepare('INSERT INTO streams VALUES (?, ?)')
    this.#insertEvent = db.prepare('INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
    this.#moveTo = db.prepare('UPDATE state SET position = ?')
    this.#findRows = arrayRows<EventRow>(
      db.prepare(
        `SELECT ${COLUMNS} FROM events WHERE stream = ? AND stream_version BETWEEN ? AND ? ORDER BY stream_version`,
      ),
    )
    this.#findLast = db.prepare('SELECT position, event_id FROM events ORDER BY position DESC LIMIT 1')
    this.#findStreams = db.prepare(
      'SELECT id, name, (SELECT max(stream_version) FROM events WHERE stream = streams.id) AS version FROM streams ' +
        `WHERE id > ? ORDER BY id LIMIT ${STREAMS_PER_PAGE}`,
    )
    this.position = Number(db.prepare('SELECT position FROM state').get()?.position)
    this.#nextStreamId = Number(db.prepare('SELECT max(id) AS id FROM streams').get()?.id ?? 0) + 1
  }

  lastEvent(): EventMark | undefined {
    const row = this.#findLast.get()
    return row && { offset: Number(row.position), eventId: String(row.event_id) }
  }

  take(events: readonly IndexedEvent[], { nextOffset, more }: Advance): ReadonlyMap<number, string> {
    const refused = new Map<number, string>()
    try {
      if (nextOffset > this.position) this.#takeAll(events, nextOffset, refused)
      if (!more || this.#pendingEvents >= MAX_PENDING_EVENTS) this.commit()
    } catch (error) {
      this.#rollBack()
      throw error
    }
    return refused
  }

  #takeAll(events: readonly IndexedEvent[], nextOffset: number, refused: Map<number, string>): void {
    if (this.#committed === undefined) {
      this.file.db.exec('BEGIN')
      this.#committed = { position: this.position, nextStreamId: this.#nextStreamId }
    }
    for (const event of events) {
      const flaw = this.#add(event)
      if (flaw !== undefined) refused.set(event.row[0], flaw)
    }
    this.#pendingEvents += events.length
    this.#moveTo.run(nextOffset)
    this.position = nextOffset
  }

  /** Makes last what was taken in. */
  commit(): void {
    if (this.#committed === undefined) return
    reach('kafka.replica.filled')
    this.file.db.exec('COMMIT')
    this.#committed = undefined
    this.#pendingEvents = 0
    reach('kafka.replica.taken')
  }

  /** Back to what lasts; the log has the rest. */
  #rollBack(): void {
    this.hot.clear()
    if (this.#committed === undefined) return
    this.position = this.#committed.position
    this.#nextStreamId = this.#committed.nextStreamId
    this.#committed = undefined
    this.#pendingEvents = 0
    rollBack(this.file.db)
  }

  #add({ stream, row, idempotencyKey }: IndexedEvent): string | undefined {
    const hot = this.hot.of(stream)
    const flaw = flawOfVersion(row[9], hot.version + 1)
    if (flaw !== undefined) return flaw
    if (hot.id === 0) {
      hot.id = this.#nextStreamId++
      this.#insertStream.run(hot.id, stream)
    }
    const [position, eventId, type, version, timestamp, correlationId, causationId, headers, data] = row
    this.#insertEvent.run(
      position,
      hot.id,
      row[9],
      eventId,
      type,
      version,
      timestamp,
      correlationId,
      causationId,
      headers,
      data,
      idempotencyKey ?? null,
    )
    this.hot.add(hot, row, idempotencyKey)
    return undefined
  }

  rows(stream: string, from: number, to: number): readonly EventRow[] {
    const { id, version } = this.hot.of(stream)
    const last = Math.min(to, version)
    if (last < from) return []
    const rows = this.#findRows(id, from, last)
    const whole = rows.length === last - from + 1 && rows[0]?.[9] === from && rows[rows.length - 1]?.[9] === last
    if (!whole) throw new GapInReplica(`Events ${from} to ${last} of a stream are not all there`)
    return rows
  }

  streamsAfter(id: number): readonly { readonly id: number; readonly info: StreamInfo }[] {
    return this.#findStreams.all(id).map((found) => {
      const stream = String(found.name)
      const version = Number(found.version)
      const [last] = this.#findRows(Number(found.id), version, version)
      if (last === undefined) throw new GapInReplica('The last event of a stream is not there')
      return { id: Number(found.id), info: { stream, currentStreamVersion: version, lastEventAt: last[4] } }
    })
  }
}

/** Some errors end the transaction by themselves. */
function rollBack(db: DatabaseSync): void {
  try {
    db.exec('ROLLBACK')
  } catch {}
}
