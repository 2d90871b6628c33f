import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { PositionRange } from '../judge-append.ts'
import { arrayRows, type EventRow } from '../sqlite/rows.ts'
import { addToRange } from './memory-replica.ts'

/*
 * What is asked of a few streams again and again, kept in memory: their version, and (once asked for) where their
 * idempotency keys and event ids are. Those asked last stay; memory is bounded by counts.
 */

const MAX_STREAMS = 100_000
/** Of keys and ids together; the stream asked last stays, however long it is. */
const MAX_DETAILS = 200_000

export interface HotStream {
  /** 0: not in the file yet. */
  id: number
  version: number
  keys?: Map<string, PositionRange>
  ids?: Map<string, number>
}

export class HotStreams {
  readonly #streams = new Map<string, HotStream>()
  /** Those with keys or ids, the one asked last at the end. */
  readonly #detailed = new Set<HotStream>()
  #details = 0
  readonly #find: StatementSync
  readonly #findKeys: (id: number) => [string, number][]
  readonly #findIds: (id: number) => [string, number][]

  constructor(db: DatabaseSync) {
    this.#find = db.prepare(
      'SELECT id, (SELECT max(stream_version) FROM events WHERE stream = streams.id) AS version FROM streams WHERE name = ?',
    )
    this.#findKeys = arrayRows<[string, number]>(
      db.prepare(
        'SELECT idempotency_key, stream_version FROM events ' +
          'WHERE stream = ? AND idempotency_key IS NOT NULL ORDER BY stream_version',
      ),
    )
    this.#findIds = arrayRows<[string, number]>(
      db.prepare('SELECT event_id, stream_version FROM events WHERE stream = ?'),
    )
  }

  clear(): void {
    this.#streams.clear()
    this.#detailed.clear()
    this.#details = 0
  }

  of(stream: string): HotStream {
    const known = this.#streams.get(stream)
    if (known !== undefined) return known
    const found = this.#find.get(stream)
    const hot: HotStream = found === undefined ? { id: 0, version: 0 } : toHot(found)
    this.#streams.set(stream, hot)
    if (this.#streams.size > MAX_STREAMS) this.#dropOldest()
    return hot
  }

  version(stream: string): number {
    return this.of(stream).version
  }

  positionsOfKey(stream: string, key: string): PositionRange | undefined {
    const hot = this.of(stream)
    if (hot.version === 0) return undefined
    hot.keys ??= this.#loadKeys(hot.id)
    this.#touch(hot)
    return hot.keys.get(key)
  }

  positionOfEvent(stream: string, eventId: string): number | undefined {
    const hot = this.of(stream)
    if (hot.version === 0) return undefined
    hot.ids ??= this.#count(new Map(this.#findIds(hot.id)))
    this.#touch(hot)
    return hot.ids.get(eventId)
  }

  /** Tells of an event that was just written. */
  add(hot: HotStream, row: EventRow, idempotencyKey: string | undefined): void {
    hot.version = row[9]
    if (hot.keys === undefined && hot.ids === undefined) return
    const before = detailsOf(hot)
    hot.ids?.set(row[1], row[9])
    if (hot.keys !== undefined && idempotencyKey !== undefined) addToRange(hot.keys, idempotencyKey, row[9])
    this.#details += detailsOf(hot) - before
  }

  #loadKeys(id: number): Map<string, PositionRange> {
    const keys = new Map<string, PositionRange>()
    for (const [key, position] of this.#findKeys(id)) addToRange(keys, key, position)
    return this.#count(keys)
  }

  #count<T>(found: Map<string, T>): Map<string, T> {
    this.#details += found.size
    return found
  }

  #touch(hot: HotStream): void {
    this.#detailed.delete(hot)
    this.#detailed.add(hot)
    for (const oldest of this.#detailed) {
      if (this.#details <= MAX_DETAILS || oldest === hot) return
      this.#forgetDetails(oldest)
    }
  }

  #forgetDetails(hot: HotStream): void {
    this.#detailed.delete(hot)
    this.#details -= detailsOf(hot)
    delete hot.keys
    delete hot.ids
  }

  /** Whoever was known first: asking again costs little. */
  #dropOldest(): void {
    for (const [stream, hot] of this.#streams) {
      this.#streams.delete(stream)
      if (this.#detailed.has(hot)) this.#forgetDetails(hot)
      return
    }
  }
}

function detailsOf({ keys, ids }: HotStream): number {
  return (keys?.size ?? 0) + (ids?.size ?? 0)
}

function toHot({ id, version }: Record<string, unknown>): HotStream {
  return { id: Number(id), version: Number(version ?? 0) }
}
