import { KafkaError, type PartitionReader, type PlacedBatch } from '../../kafka/driver.ts'
import { groupBy } from '../../kafka/group-by.ts'
import { pause } from '../wake-ups.ts'
import type { BatchPlan, Planned } from './batch-plan.ts'
import type { Names } from './names.ts'
import type { PartitionLog } from './partition-log.ts'
import { endNotShown } from './store-errors.ts'
import { isTopicGone } from './writer-errors.ts'

/*
 * Was this transaction committed? Asked only after a later `init` of its transactional id, when it is committed or
 * aborted and can no longer change.
 *
 * P2 lets one witness speak for all: either every record of the transaction is in the log, or none is. The witness must
 * lie where this transaction put it: somebody else may have written the same event meanwhile (P5).
 */

export interface DoubtTools {
  readonly log: Pick<PartitionLog, 'eventAt' | 'position'>
  readonly reader: PartitionReader
  readonly names: Pick<Names, 'eventTopic'>
}

const WITNESS_PATIENCE_MS = 15_000
const RETRY_PAUSE_MS = 100

export async function wasCommitted(
  plan: BatchPlan,
  placed: readonly PlacedBatch[],
  { log, reader, names }: DoubtTools,
): Promise<boolean> {
  const own = placed.filter(({ topic }) => topic === names.eventTopic)
  // A leader that leads no more tells of an end before it: what was not read there is no answer.
  const isRead = own.every(({ lastOffset }) => lastOffset < log.position)
  for (const planned of isRead ? plan.planned : []) {
    const fact = isFact(planned, own, log)
    if (fact !== undefined) return fact
  }
  return someIsVisible(placed, reader)
}

/** Whether its first event is in the log where this transaction put it; nothing where it wrote no event. */
function isFact(
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

/** One place after the other, where a topic is gone or has thrown its records away. Only offsets: committing them once more changes nothing. */
async function someIsVisible(placed: readonly PlacedBatch[], reader: PartitionReader): Promise<boolean> {
  for (const [first] of groupBy(placed, ({ topic, partition }) => `${topic}/${partition}`).values()) {
    const visible = first === undefined ? undefined : await isVisible(first, reader)
    if (visible !== undefined) return visible
  }
  return false
}

/**
 * Is the record at the offset the broker gave it there for a read_committed reader? Nothing: that place can tell no more.
 * @throws BROKER_UNREACHABLE while a stranger's transaction holds it back
 */
async function isVisible(batch: PlacedBatch, reader: PartitionReader): Promise<boolean | undefined> {
  const deadline = performance.now() + WITNESS_PATIENCE_MS
  for (;;) {
    const seen = await look(batch, reader)
    if (typeof seen === 'boolean' || seen === 'expired') return seen === 'expired' ? undefined : seen
    const isOver = performance.now() > deadline
    if (seen === 'missing' && isOver) return undefined
    if (isOver) throw notShown(batch)
    if (seen === 'missing') await pause(RETRY_PAUSE_MS)
  }
}

function notShown({ topic, partition, baseOffset, lastOffset }: PlacedBatch) {
  return endNotShown({ topic, partition, shownTo: baseOffset, end: lastOffset + 1, forMs: WITNESS_PATIENCE_MS })
}

/** `missing`: its topic, or its offset, which may be so for a moment. */
async function look(
  { topic, partition, baseOffset }: PlacedBatch,
  reader: PartitionReader,
): Promise<boolean | 'undecided' | 'missing' | 'expired'> {
  try {
    const [fetched] = await reader.fetch([{ topic, partition, offset: baseOffset }], { maxWaitMs: 50 })
    if (fetched === undefined || fetched.highWatermark <= baseOffset) return 'missing'
    return fetched.nextOffset <= baseOffset ? 'undecided' : fetched.records[0]?.offset === baseOffset
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    if (error.code === 'OFFSET_OUT_OF_RANGE') return 'expired'
    if (isTopicGone(error)) return 'missing'
    throw error
  }
}
