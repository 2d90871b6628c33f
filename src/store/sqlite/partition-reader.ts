import type { DatabaseSync } from 'node:sqlite'
import type { AnyEvent, RecordedEvent, RecordedMessage } from '../../core/event.ts'
import type { PartitionPosition } from '../event-store.ts'
import type { FollowSource } from '../follow-partitions.ts'
import type { WakeUps } from '../wake-ups.ts'
import type { LogPlaces } from './log-places.ts'
import type { RecentRecords } from './recent-records.ts'
import { arrayRows, placeKey, RECORD_COLUMNS, type RecordRow, toRecord } from './rows.ts'

/** A place in a partition. */
export interface Cursor extends PartitionPosition {
  offset: number
  /** Of the log: nothing of the partition from `offset` on is at it or before. */
  position: number
}

/** The next batch of a partition; the cursor moves behind it. */
export type ReadPartition = <E extends AnyEvent>(cursor: Cursor) => (RecordedMessage<E> | RecordedEvent<E>)[]

/** What a partition's reader needs of its log. */
export interface FollowedLog {
  readonly readPartition: ReadPartition
  read<T>(read: () => T): Promise<T>
  changesOf(topic: string, partition: number): WakeUps
  readonly places: Pick<LogPlaces, 'endsOf'>
}

/** A partition from a place on, while somebody holds the log's watch. */
export function partitionSources(log: FollowedLog): (from: PartitionPosition) => FollowSource {
  return ({ topic, partition, offset }) => {
    const changes = log.changesOf(topic, partition)
    const cursor: Cursor = { topic, partition, offset, position: 0 }
    let seen = 0
    let readToEndAt: number | undefined
    return {
      nextBatch: async () => {
        seen = changes.generation
        if (seen === readToEndAt) return [] // nothing was written since
        const batch = await log.read(() => log.readPartition(cursor))
        readToEndAt = batch.length < BATCH_RECORDS ? seen : undefined
        return batch
      },
      position: () => ({ topic, partition, offset: cursor.offset }),
      end: () => log.read(() => log.places.endsOf(topic)[partition] ?? 0),
      waitForMore: (signal) => changes.after(seen, { signal }),
    }
  }
}

const BATCH_RECORDS = 100
/** Who is no more records behind looks through them: a fifth of what the index costs, whose newest part is looked through, too. */
const LOOKED_THROUGH = 1_000

export function partitionReader(db: DatabaseSync, places: LogPlaces, recent: RecentRecords): ReadPartition {
  const findHead = db.prepare('SELECT max(position) AS head FROM records')
  const findByIndex = arrayRows<RecordRow>(
    db.prepare(
      `SELECT ${RECORD_COLUMNS} FROM ` +
        '(SELECT "offset" AS place, position AS found FROM places WHERE topic = ? AND partition = ? AND "offset" >= ? ' +
        'ORDER BY "offset" LIMIT ?) CROSS JOIN records ON position = found ' +
        'LEFT JOIN streams ON streams.id = records.stream ORDER BY place',
    ),
  )
  const lookThrough = arrayRows<RecordRow>(
    db.prepare(
      `SELECT ${RECORD_COLUMNS} FROM records NOT INDEXED LEFT JOIN streams ON streams.id = records.stream ` +
        'WHERE position > ? AND records.topic = ? AND partition = ? AND "offset" >= ? ORDER BY position LIMIT ?',
    ),
  )

  return (cursor) => {
    const topic = places.topic(cursor.topic)
    // Asked first: what comes between this question and the next is behind it.
    const head = Number(findHead.get()?.head ?? 0)
    if (topic === undefined || head <= cursor.position) return []
    const { partition, offset, position } = cursor
    const rows =
      recent.from(placeKey(cursor), cursor, head)?.slice(0, BATCH_RECORDS) ??
      (head - position > LOOKED_THROUGH
        ? findByIndex(topic.id, partition, offset, BATCH_RECORDS)
        : lookThrough(position, topic.id, partition, offset, BATCH_RECORDS))
    moveBehind(cursor, rows, head)
    const place = { topic: cursor.topic, partition }
    return rows.map((row) => toRecord(row, place))
  }
}

function moveBehind(cursor: Cursor, rows: readonly RecordRow[], head: number): void {
  const last = rows[rows.length - 1]
  if (last !== undefined) {
    cursor.offset = last[0] + 1
    cursor.position = last[10]
  }
  // Fewer than there may be: that was all.
  if (rows.length < BATCH_RECORDS) cursor.position = Math.max(cursor.position, head)
}
