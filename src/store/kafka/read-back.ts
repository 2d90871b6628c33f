import type { PartitionReader, PlacedBatch, WatchedPartition } from '../../kafka/driver.ts'
import type { PartitionLog } from './partition-log.ts'
import type { EncodedRecord } from './record-codec.ts'
import { ShownEnd } from './shown-end.ts'

/*
 * After a commit: waits until every reader sees it, and brings the replica up to it.
 *
 * W3 Kafka acknowledges a commit before its markers are in the partitions. Once committed records lie below the last
 *    stable offset they are what any reader would fetch, so they are taken from memory: same bytes, same offsets, same
 *    fields (C3), same checks. Where they do not follow the replica's position without a gap, the log is read.
 */

/** Short: of a marker that is written while a fetch waits, the broker tells in one of two hundred cases only when the next request comes. */
const WATCH_MS = 5

export interface ReadBackTools {
  readonly log: PartitionLog
  readonly reader: PartitionReader
  readonly topic: string
  readonly partition: number
}

export interface CommittedRecords {
  readonly records: readonly EncodedRecord[]
  readonly placed: readonly PlacedBatch[]
}

export async function readBack({ records, placed }: CommittedRecords, tools: ReadBackTools): Promise<void> {
  const { log, reader, topic } = tools
  const batches = placed.filter((batch) => batch.topic === topic)
  const lastOffset = batches.reduce((last, batch) => Math.max(last, batch.lastOffset), -1)
  if (lastOffset === -1) return
  if (reader.watch !== undefined) {
    const { records: others, nextOffset } = await untilStable(lastOffset, tools)
    takeOwn(records, batches, tools)
    if (others === 0) log.take({ records: [], fromOffset: lastOffset + 1, nextOffset })
  }
  await log.catchUpPast(lastOffset)
}

/** With what was seen behind the transaction: its marker, and hardly ever anything else. */
async function untilStable(lastOffset: number, tools: ReadBackTools) {
  let records = 0
  let offset = lastOffset + 1
  const shown = new ShownEnd(placeOf(tools))
  for (;;) {
    const position = { ...placeOf(tools), offset }
    const seen = (await tools.reader.watch?.(position, { maxWaitMs: WATCH_MS })) as WatchedPartition
    records += seen.records
    offset = seen.nextOffset
    const { stableOffset } = seen
    if (stableOffset > lastOffset) return { records, nextOffset: offset }
    shown.progress(stableOffset, lastOffset + 1)
  }
}

function takeOwn(records: readonly EncodedRecord[], batches: readonly PlacedBatch[], tools: ReadBackTools): void {
  const own = records.filter(({ topic }) => topic === tools.topic)
  const timestampMs = Date.now()
  for (const { baseOffset, lastOffset } of batches) {
    const taken = own.splice(0, lastOffset - baseOffset + 1)
    tools.log.take({
      records: taken.map(({ key, value, headers, fields }, index) => {
        return { key, value, headers, own: fields, offset: baseOffset + index, timestampMs }
      }),
      fromOffset: baseOffset,
      nextOffset: lastOffset + 1,
    })
  }
}

function placeOf({ topic, partition }: ReadBackTools) {
  return { topic, partition }
}
