import type { FetchedPartition, FetchedRecord, FetchPosition } from '../driver.ts'
import type { RecordBatch } from '../record-batches.ts'
import type { FetchedBatches } from './fetch-answer.ts'

/*
 * What a fetch of a partition gives, with either driver.
 *
 * D1 read_committed: the broker never sends what lies behind the last stable offset; aborted records below it are
 *    dropped here by the list the broker sends along.
 * D2 Markers and whole aborted batches move `nextOffset` though they give no record.
 */

export const MAX_BYTES = 16 * 1024 * 1024
/** What is asked for at a time is in memory several times over while it is decoded. */
export const MAX_PARTITION_BYTES = 1024 * 1024

/** `positions`: what was asked for. */
export function toFetchedPartitions(
  fetched: readonly FetchedBatches[],
  positions: readonly FetchPosition[],
): readonly FetchedPartition[] {
  const asked = new Map(positions.map(({ topic, partition, offset }) => [`${topic}/${partition}`, offset]))
  return fetched.map((each) => toFetched(each, asked.get(`${each.topic}/${each.partition}`) ?? 0))
}

export function toFetched(fetched: FetchedBatches, fromOffset: number): FetchedPartition {
  const { topic, partition, batches } = fetched
  const committed = [...committedOnly(fetched)].flatMap(({ records }) => records)
  return {
    topic,
    partition,
    fromOffset,
    // The first batch may begin before the offset that was asked for.
    records: committed[0] !== undefined && committed[0].offset < fromOffset ? from(committed, fromOffset) : committed,
    nextOffset: Math.max(fromOffset, (batches.at(-1)?.lastOffset ?? -1) + 1),
    stableOffset: fetched.lastStableOffset,
    highWatermark: fetched.highWatermark,
  }
}

function from(records: readonly FetchedRecord[], offset: number): readonly FetchedRecord[] {
  return records.filter((record) => record.offset >= offset)
}

/** An aborted transaction runs from its first offset to its marker; batches of its producer in between are void. */
function* committedOnly({ batches, abortedTransactions }: FetchedBatches): Generator<RecordBatch> {
  const aborted = [...abortedTransactions].sort((a, b) => a.firstOffset - b.firstOffset)
  const voided = new Set<bigint>()
  for (const batch of batches) {
    while (aborted[0] !== undefined && aborted[0].firstOffset <= batch.lastOffset) {
      voided.add(aborted.shift()?.producerId ?? -1n)
    }
    if (batch.control) voided.delete(batch.producerId)
    else if (!batch.transactional || !voided.has(batch.producerId)) yield batch
  }
}
