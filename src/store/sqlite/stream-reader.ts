import type { DatabaseSync } from 'node:sqlite'
import type { AnyEvent, RecordedEvent } from '../../core/event.ts'
import type { ReadStreamOptions, StreamInfo } from '../event-store.ts'
import type { LogPlaces } from './log-places.ts'
import { arrayRows, EVENT_COLUMNS, type EventRow, toEvent } from './rows.ts'

/*
 * Streams come page by page: no transaction stays open between pages, so a slow reader keeps nobody's log from being
 * tidied, and no stream is ever in memory as a whole. Appends never change what is behind them, so pages fit together.
 */

export const FIRST_PAGE_EVENTS = 128
const MAX_PAGE_EVENTS = 512
const PAGE_CHARACTERS = 1024 * 1024

export interface StreamReaderOptions {
  readonly db: DatabaseSync
  readonly places: LogPlaces
  readonly eventTopic: string
  /** Runs a read until no lock is in its way, and names what went wrong. */
  readonly attempt: <T>(read: () => T) => Promise<T>
}

interface Page<E extends AnyEvent> {
  readonly events: readonly RecordedEvent<E>[]
  /** The stream position after the page; beyond `last`: this was the last page. */
  readonly next: number
  readonly last: number
  readonly pageEvents: number
}

export type StreamReader = ReturnType<typeof streamReader>

export function streamReader({ db, places, eventTopic, attempt }: StreamReaderOptions) {
  const findPage = arrayRows<EventRow>(
    db.prepare(
      `SELECT ${EVENT_COLUMNS} FROM records WHERE stream = ? AND stream_version BETWEEN ? AND ? ORDER BY stream_version`,
    ),
  )
  const findStreams = db.prepare(
    'SELECT id, name, (SELECT max(stream_version) FROM records WHERE stream = streams.id) AS version FROM streams ' +
      'WHERE topic = ? AND id > ? ORDER BY id LIMIT 200',
  )
  const findTimestamp = db.prepare('SELECT timestamp FROM records WHERE stream = ? AND stream_version = ?')

  /** `known`: the stream, where the caller has found it. */
  function page<E extends AnyEvent>(
    stream: string,
    from: number,
    last: number,
    pageEvents: number,
    known = places.stream(stream),
  ): Page<E> {
    if (known === undefined) return { events: [], next: 1, last: 0, pageEvents }
    const rows = findPage(known.id, from, Math.min(last, from + pageEvents - 1))
    const where = { topic: eventTopic, partition: known.partition }
    const events = rows.map((row) => toEvent<E>(row, stream, where))
    // A short page: the stream ends here, at the latest.
    return { events, next: from + rows.length, last: rows.length < pageEvents ? 0 : last, pageEvents: pageSize(rows) }
  }

  /** Most reads are of a few events: only a full page is worth asking where the stream ends, so that the read does, too. */
  function firstPage<E extends AnyEvent>(stream: string, options: ReadStreamOptions): Page<E> {
    const { from = 1, to = Number.MAX_SAFE_INTEGER, maxCount = Number.MAX_SAFE_INTEGER } = options
    const place = places.stream(stream)
    const last = Math.min(to, from - 1 + maxCount)
    const first = page<E>(stream, from, last, FIRST_PAGE_EVENTS, place)
    if (first.next > first.last || place === undefined) return first
    return { ...first, last: Math.min(last, places.versionOf(place.id)) }
  }

  function streamsAfter(id: number) {
    const topic = places.topic(eventTopic)
    const rows = topic === undefined ? [] : findStreams.all(topic.id, id)
    return rows.map((row) => ({ id: Number(row.id), info: toInfo(row) }))
  }

  function toInfo(row: Record<string, unknown>): StreamInfo {
    const currentStreamVersion = Number(row.version)
    const last = findTimestamp.get(Number(row.id), currentStreamVersion)
    return { stream: String(row.name), currentStreamVersion, lastEventAt: String(last?.timestamp) }
  }

  return {
    /** Page after page; the caller's own pace. */
    async *pages<E extends AnyEvent>(
      stream: string,
      options: ReadStreamOptions,
    ): AsyncGenerator<readonly RecordedEvent<E>[]> {
      let current = await attempt(() => firstPage<E>(stream, options))
      for (;;) {
        yield current.events
        const { next, last, pageEvents } = current
        if (next > last) return
        current = await attempt(() => page<E>(stream, next, last, pageEvents))
      }
    },

    async *streams(): AsyncGenerator<StreamInfo> {
      for (let after = 0; ; ) {
        const rows = await attempt(() => streamsAfter(after))
        const last = rows[rows.length - 1]
        if (last === undefined) return
        for (const row of rows) yield row.info
        after = last.id
      }
    },
  }
}

/** How many events of this size a page should hold. */
export function pageSize(rows: readonly EventRow[]): number {
  let characters = 0
  for (const row of rows) characters += row[8].length
  const fitting = Math.floor((PAGE_CHARACTERS * rows.length) / Math.max(characters, 1))
  return Math.max(1, Math.min(fitting, MAX_PAGE_EVENTS))
}

/** One event after the other from pages: an event costs one resolved promise, not a generator's three. */
export function eventsOf<T>(pages: AsyncGenerator<readonly T[]>): AsyncIterableIterator<T> {
  let page: readonly T[] = []
  let index = 0
  const turn = async (): Promise<IteratorResult<T>> => {
    for (;;) {
      const { value, done } = await pages.next()
      if (done) return { value: undefined, done: true }
      page = value
      index = 1
      if (page.length > 0) return { value: page[0] as T, done: false }
    }
  }
  return {
    next: () => (index < page.length ? Promise.resolve({ value: page[index++] as T, done: false }) : turn()),
    return: async () => {
      page = []
      await pages.return(undefined)
      return { value: undefined, done: true }
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
