import type { PartitionReader, PlacedBatch } from '../../kafka/driver.ts'
import type { BatchPlan, Planned } from './batch-plan.ts'
import type { Names } from './names.ts'
import type { PartitionLog } from './partition-log.ts'

/*
 * Was this transaction committed? Asked only after a later `init` of its transactional id, when it is committed or
 * aborted and can no longer change.
 *
 * P2 lets one witness speak for all: either every record of the transaction is in the log, or none is. The witness must
 * lie where this transaction put it: somebody else may have written the same event meanwhile (P5).
 */

export interface DoubtTools {
  readonly log: PartitionLog
  readonly reader: PartitionReader
  readonly names: Pick<Names, 'eventTopic'>
}

export async function wasCommitted(
  plan: BatchPlan,
  placed: readonly PlacedBatch[],
  { log, reader, names }: DoubtTools,
): Promise<boolean> {
  const own = placed.filter(({ topic }) => topic === names.eventTopic)
  for (const planned of plan.planned) {
    const fact = isFact(planned, own, log)
    if (fact !== undefined) return fact
  }
  const witness = placed[0]
  // Only offsets: committing them once more changes nothing.
  return witness === undefined ? false : isVisible(witness, reader)
}

/** Whether its first event is in the log where this transaction put it; nothing where it wrote no event. */
export function isFact(
  { append, judgement }: Planned,
  own: readonly PlacedBatch[],
  log: Pick<PartitionLog, 'eventAt'>,
): boolean | undefined {
  const [event] = append.events
  if (judgement.kind !== 'write' || event === undefined) return undefined
  const found = log.eventAt(append.stream, judgement.appended.firstStreamPosition)
  return found?.eventId === event.eventId && own.some((batch) => lieWithin(batch, found.offset))
}

function lieWithin({ baseOffset, lastOffset }: PlacedBatch, offset: number): boolean {
  return baseOffset <= offset && offset <= lastOffset
}

/** Messages without an event: is the record at the offset the broker gave it there for a read_committed reader? */
async function isVisible({ topic, partition, baseOffset }: PlacedBatch, reader: PartitionReader): Promise<boolean> {
  for (;;) {
    const [fetched] = await reader.fetch([{ topic, partition, offset: baseOffset }], { maxWaitMs: 50 })
    if (fetched === undefined || fetched.nextOffset <= baseOffset) continue
    return fetched.records[0]?.offset === baseOffset
  }
}
