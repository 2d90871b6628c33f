import type { StatementSync } from 'node:sqlite'
import type { AnyEvent, RecordedEvent, RecordedMessage } from '../../core/event.ts'

/*
 * From a row to what a reader sees. Rows come as arrays where Node can do that: naming eleven columns ten thousand
 * times costs more than reading them.
 */

const ENVELOPE = '"offset", event_id, type, version, timestamp, correlation_id, causation_id, headers, data'

export const EVENT_COLUMNS = `${ENVELOPE}, stream_version, position`
/** Of `records` with its `streams`: an event has both versions, a message neither. */
export const RECORD_COLUMNS = `${EVENT_COLUMNS}, coalesce(key, streams.name)`

type Envelope = [
  offset: number,
  eventId: string,
  type: string,
  version: number,
  timestamp: string,
  correlationId: string | null,
  causationId: string | null,
  headers: string | null,
  data: string,
]
export type EventRow = readonly [...Envelope, streamVersion: number, position: number]
export type RecordRow = readonly [...Envelope, streamVersion: number | null, position: number, key: string]

type Value = string | number | null

/** The statement's rows as arrays. */
export function arrayRows<Row extends readonly unknown[]>(statement: StatementSync): (...values: Value[]) => Row[] {
  const canReturnArrays = typeof statement.setReturnArrays === 'function'
  if (canReturnArrays) statement.setReturnArrays(true)
  // The statement was prepared with the columns of Row.
  return canReturnArrays
    ? (...values) => statement.all(...values) as unknown as Row[]
    : (...values) => statement.all(...values).map((row) => Object.values(row) as unknown as Row)
}

export interface PartitionPlace {
  readonly topic: string
  readonly partition: number
}

/** Names a partition. */
export function placeKey({ topic, partition }: PartitionPlace): string {
  return `${topic}/${partition}`
}

type Writable<T> = { -readonly [Name in keyof T]: T[Name] }

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({})

export function toEvent<E extends AnyEvent>(row: EventRow, stream: string, place: PartitionPlace): RecordedEvent<E> {
  const event: Writable<RecordedEvent> = {
    type: row[2],
    data: JSON.parse(row[8]),
    eventId: row[1],
    version: row[3],
    timestamp: row[4],
    correlationId: row[5] ?? stream,
    headers: row[7] === null ? NO_HEADERS : JSON.parse(row[7]),
    topic: place.topic,
    partition: place.partition,
    offset: row[0],
    key: stream,
    stream,
    streamPosition: row[9],
    globalPosition: row[10],
  }
  if (row[6] !== null) event.causationId = row[6]
  return event as RecordedEvent<E>
}

export function toRecord<E extends AnyEvent>(
  row: RecordRow,
  place: PartitionPlace,
): RecordedMessage<E> | RecordedEvent<E> {
  return isEvent(row) ? toEvent(row, row[11], place) : toMessage(row, place)
}

function isEvent(row: RecordRow): row is RecordRow & EventRow {
  return row[9] !== null
}

function toMessage<E extends AnyEvent>(row: RecordRow, place: PartitionPlace): RecordedMessage<E> {
  const message: Writable<RecordedMessage> = {
    type: row[2],
    data: JSON.parse(row[8]),
    eventId: row[1],
    version: row[3],
    timestamp: row[4],
    correlationId: row[5] ?? row[11],
    headers: row[7] === null ? NO_HEADERS : JSON.parse(row[7]),
    topic: place.topic,
    partition: place.partition,
    offset: row[0],
    key: row[11],
  }
  if (row[6] !== null) message.causationId = row[6]
  return message as RecordedMessage<E>
}
