import type { DatabaseSync } from 'node:sqlite'
import type { AnyEvent, RecordedEvent, RecordedMessage } from '../../core/event.ts'
import type { PartitionPosition } from '../event-store.ts'
import type { FollowSource } from '../follow-partitions.ts'
import type { WakeUps } from '../wake-ups.ts'
import type { LogPlaces } from './log-places.ts'
import { arrayRows, RECORD_COLUMNS, type RecordRow, toRecord } from './rows.ts'

/** One batch of a partition, from an offset on. */
export type ReadPartition = <E extends AnyEvent>(
  topic: string,
  partition: number,
  offset: number,
) => (RecordedMessage<E> | RecordedEvent<E>)[]

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
    let next = offset
    let seen = 0
    return {
      nextBatch: async () => {
        seen = changes.generation
        const batch = await log.read(() => log.readPartition(topic, partition, next))
        next = (batch[batch.length - 1]?.offset ?? next - 1) + 1
        return batch
      },
      position: () => ({ topic, partition, offset: next }),
      end: () => log.read(() => log.places.endsOf(topic)[partition] ?? 0),
      waitForMore: (signal) => changes.after(seen, { signal }),
    }
  }
}

const BATCH_RECORDS = 100

export function partitionReader(db: DatabaseSync, places: LogPlaces): ReadPartition {
  const find = arrayRows<RecordRow>(
    db.prepare(
      `SELECT ${RECORD_COLUMNS} FROM ` +
        '(SELECT "offset" AS place, position AS found FROM places WHERE topic = ? AND partition = ? AND "offset" >= ? ' +
        'ORDER BY "offset" LIMIT ?) CROSS JOIN records ON position = found ' +
        'LEFT JOIN streams ON streams.id = records.stream ORDER BY place',
    ),
  )
  return (name, partition, offset) => {
    const topic = places.topic(name)
    if (topic === undefined) return []
    const place = { topic: name, partition }
    return find(topic.id, partition, offset, BATCH_RECORDS).map((row) => toRecord(row, place))
  }
}
