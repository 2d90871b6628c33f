import assert from 'node:assert/strict'
import type { AnyEvent } from '../core/event.ts'
import { type PendingMessage, type Projected, type Projection, project } from '../processing/projection.ts'
import { deepFreeze } from './deep-freeze.ts'

/*
 * Given these events, then these rows: a projection's test without a log or a view store. It also holds the projection to
 * P1: rows and events are frozen, and the same events must give the same rows twice. Rows are what a view store gives back.
 */

/** An event of a stream, as much of it as a test has to say. */
export type GivenEvent<E extends AnyEvent> = E & {
  /** The stream it is of. Default `stream-1`. */
  readonly stream?: string
  /** ISO time. Default 2026-01-01T00:00:00.000Z. */
  readonly timestamp?: string
}

/** What may be said about the rows. */
export interface ProjectedRows<Row> {
  /** Exactly these rows, by key. */
  thenRows(expected: Readonly<Record<string, Row>>): void
  /** This row; nothing: there is none. */
  thenRow(key: string, expected: Row | undefined): void
  /** The projection throws: any error, or one whose message matches. */
  thenThrows(message?: RegExp): void
}

/**
 * @example
 * const given = ProjectionSpecification.for(balances)
 * given([{ stream: 'ada', type: 'Deposited', data: { amount: 5 } }]).thenRows({ ada: { balance: 5 } })
 */
export const ProjectionSpecification = {
  /** Begins a test of this projection. */
  for<Row, E extends AnyEvent>(projection: Projection<Row, E>) {
    return (events: readonly GivenEvent<E>[]): ProjectedRows<Row> => {
      const rows = () => {
        const once = rowsOf(projection, events)
        assert.deepEqual(
          rowsOf(projection, events),
          once,
          'the projection is not pure: asked twice, it answered differently',
        )
        return once
      }
      return {
        thenRows: (expected) => assert.deepEqual(rows(), expected),
        thenRow: (key, expected) => assert.deepEqual(rows()[key], expected),
        thenThrows: (message = /./) => assert.throws(rows, message),
      }
    }
  },
}

function rowsOf<Row, E extends AnyEvent>(projection: Projection<Row, E>, events: readonly GivenEvent<E>[]) {
  const positions = new Map<string, number>()
  const pending = events.map((event, offset): PendingMessage<E> => {
    const { stream = 'stream-1' } = event
    positions.set(stream, (positions.get(stream) ?? 0) + 1)
    return { offset, event: recorded({ event, offset, stream, streamPosition: positions.get(stream) ?? 1 }) }
  })
  const frozen = { ...projection, evolve: (row: Row, event: Projected<E>) => deepFreeze(projection.evolve(row, event)) }
  const pure = { ...frozen, initialState: () => deepFreeze(projection.initialState()) }
  const rows = new Map<string, Row>()
  // As a view store gives them back: as JSON.
  for (const each of pending) {
    for (const [key, row] of project(pure, [each], (key) => rows.get(key))) {
      if (row === undefined) rows.delete(key)
      else rows.set(key, deepFreeze(JSON.parse(JSON.stringify(row))))
    }
  }
  return Object.fromEntries(rows)
}

interface Place<E extends AnyEvent> {
  readonly event: GivenEvent<E>
  readonly offset: number
  readonly stream: string
  readonly streamPosition: number
}

function recorded<E extends AnyEvent>({ event, offset, stream, streamPosition }: Place<E>): Projected<E> {
  const { type, data, timestamp = '2026-01-01T00:00:00.000Z' } = event
  const place = { topic: 'session.events', partition: 0, offset, key: stream, stream, streamPosition }
  const envelope = { eventId: `${stream}/${streamPosition}`, version: 1, correlationId: stream, headers: {}, timestamp }
  const message = { ...place, ...envelope, globalPosition: BigInt(offset + 1), type, data }
  return deepFreeze(message) as unknown as Projected<E>
}
