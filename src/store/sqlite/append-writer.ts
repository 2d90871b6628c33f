import type { DatabaseSync } from 'node:sqlite'
import type { Appended, Checkpoint } from '../event-store.ts'
import { judgeAppend, type PositionRange, type StreamFacts } from '../judge-append.ts'
import type { PreparedAppend, PreparedRecord } from '../prepare-append.ts'
import { deferredIndex } from './deferred-index.ts'
import type { LogPlaces, StreamPlace } from './log-places.ts'
import type { RecordRow } from './rows.ts'

/*
 * One append inside the transaction: judge first, then write; so a refused append has written nothing (P2), and its
 * neighbours in the transaction need not know.
 */

export interface AppendWriterOptions {
  readonly db: DatabaseSync
  readonly places: LogPlaces
  /** Moves a group's checkpoint, or throws CHECKPOINT_FENCED before it wrote anything. */
  readonly moveCheckpoint: (checkpoint: Checkpoint) => void
  /** Hears of every record, as the file has it. */
  readonly onWritten: (topic: string, partition: number, row: RecordRow) => void
}

export function appendWriter({ db, places, moveCheckpoint, onWritten }: AppendWriterOptions) {
  const insert = db.prepare(
    'INSERT INTO records (topic, partition, "offset", stream, stream_version, key, event_id, type, version, timestamp, ' +
      'correlation_id, causation_id, headers, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  )
  const findKey = db.prepare('SELECT first_version, last_version FROM idempotency_keys WHERE stream = ? AND key = ?')
  const addKey = db.prepare(
    'INSERT INTO idempotency_keys (stream, key, first_version, last_version) VALUES (?, ?, ?, ?)',
  )
  const findEvent = db.prepare('SELECT stream_version FROM ids WHERE stream = ? AND event_id = ?')

  const index = deferredIndex(db)

  function factsOf(place: StreamPlace | undefined): StreamFacts {
    if (place === undefined) return NO_STREAM
    return {
      currentVersion: () => place.version,
      positionsOfKey: (key) => toRange(findKey.get(place.id, key)),
      positionOfEvent: (eventId) => toVersion(findEvent.get(place.id, eventId)),
    }
  }

  function write(record: PreparedRecord, stream: StreamPlace | undefined): void {
    const topic = places.topicToWrite(record.topic)
    const partition = stream?.partition ?? places.partition(topic, record.key)
    const offset = places.endOf(topic, partition)
    const version = stream === undefined ? null : stream.version + 1
    const correlationId = record.correlationId === record.key ? null : record.correlationId
    const causationId = record.causationId ?? null
    const headers = headersJson(record.headers)
    const { eventId, type, timestamp, dataJson, key } = record
    const { lastInsertRowid } = insert.run(
      topic.id,
      partition,
      offset,
      stream?.id ?? null,
      version,
      stream === undefined ? key : null,
      eventId,
      type,
      record.version,
      timestamp,
      correlationId,
      causationId,
      headers,
      dataJson,
    )
    const position = Number(lastInsertRowid)
    index.written(position)
    topic.nextOffsets[partition] = offset + 1
    if (stream !== undefined) stream.version++
    const envelope = [offset, eventId, type, record.version, timestamp, correlationId, causationId, headers] as const
    onWritten(record.topic, partition, [...envelope, dataJson, version, position, key])
  }

  function writeEvents(
    { stream, events, idempotencyKey }: PreparedAppend,
    found: StreamPlace | undefined,
    appended: Appended,
  ): void {
    const place = found ?? places.addStream(stream)
    for (const event of events) write(event, place)
    if (idempotencyKey === undefined) return
    addKey.run(place.id, idempotencyKey, appended.firstStreamPosition, appended.currentStreamVersion)
  }

  return (append: PreparedAppend): Appended => {
    const place = places.stream(append.stream)
    const judgement = judgeAppend(append, factsOf(place))
    if (judgement.kind === 'refused') throw judgement.error
    if (judgement.kind === 'repeat') return judgement.appended
    if (append.checkpoint !== undefined) moveCheckpoint(append.checkpoint)
    if (append.events.length > 0) writeEvents(append, place, judgement.appended)
    for (const message of append.outgoing) write(message, undefined)
    index.fillWhenDue()
    return judgement.appended
  }
}

const NO_STREAM: StreamFacts = {
  currentVersion: () => 0,
  positionsOfKey: () => undefined,
  positionOfEvent: () => undefined,
}

type Row = Record<string, unknown> | undefined

function toRange(row: Row): PositionRange | undefined {
  return row === undefined ? undefined : { first: Number(row.first_version), last: Number(row.last_version) }
}

function toVersion(row: Row): number | undefined {
  return row === undefined ? undefined : Number(row.stream_version)
}

function headersJson(headers: Readonly<Record<string, string>>): string | null {
  for (const _ in headers) return JSON.stringify(headers)
  return null
}
