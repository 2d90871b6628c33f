import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { silentLogger } from '../../src/core/logger.ts'
import type { FetchedPartition, FetchPosition, PartitionReader } from '../../src/kafka/driver.ts'
import { MemoryReplica } from '../../src/store/kafka/memory-replica.ts'
import { OwedVersions } from '../../src/store/kafka/owed-versions.ts'
import { PartitionLog } from '../../src/store/kafka/partition-log.ts'
import { readBack } from '../../src/store/kafka/read-back.ts'
import { wasCommitted } from '../../src/store/kafka/resolve-doubt.ts'
import { pause } from '../../src/store/wake-ups.ts'

/* A stranger's open transaction, or a leader that lags, holds back what is known to be there. */

const TOPIC = 'session.events'
const PLACE = { topic: TOPIC, partition: 0 }

/** A partition of which readers see so much, whatever they wait for. */
function heldBack() {
  const seen = { stable: 5 }
  const shown = ({ offset }: FetchPosition): FetchedPartition => ({
    ...PLACE,
    fromOffset: offset,
    records: [],
    nextOffset: Math.max(offset, seen.stable),
    stableOffset: seen.stable,
    highWatermark: 9,
  })
  const reader: Required<PartitionReader> = {
    fetch: async ([position], { maxWaitMs }) => {
      await pause(Math.max(1, maxWaitMs))
      return [shown(position as FetchPosition)]
    },
    watch: async (position, { maxWaitMs }) => {
      await pause(maxWaitMs)
      return { ...shown(position), records: 0 }
    },
    close: async () => {},
  }
  const log = new PartitionLog({
    ...PLACE,
    logicalTopic: TOPIC,
    partitionCount: 1,
    reader,
    replica: new MemoryReplica(),
    logger: silentLogger,
    owed: new OwedVersions(),
    askEnd: async () => 0,
    onEvents: () => {},
  })
  return { seen, reader, log }
}

/** What is heard within a minute of waiting. */
async function heardOf(work: Promise<unknown>): Promise<unknown> {
  const heard: unknown[] = []
  const hear = (one: unknown) => void heard.push(one)
  work.then((value) => hear(['done', value]), hear)
  await vi.advanceTimersByTimeAsync(60_000)
  return heard[0]
}

const placed = [{ ...PLACE, baseOffset: 7, lastOffset: 8 }]
const notShown = (shownTo: number, end: number) => ({
  code: 'BROKER_UNREACHABLE',
  retry: { afterMs: 1000 },
  message: expect.stringMatching(
    `Partition 0 of "session.events" goes on to offset ${end} and shows nothing behind ${shownTo}, for 15 s.*find-hanging`,
  ),
})

describe('an end that is never shown', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('L3 is waited for as long as there is progress, then an error names partition and end', async () => {
    const { seen, log } = heldBack()
    const growing = setInterval(() => void (seen.stable < 7 && seen.stable++), 14_000)
    expect(await heardOf(log.catchUpToEnd(async () => 9))).toMatchObject(notShown(7, 9))
    expect(log.position).toBe(7)
    clearInterval(growing)
    seen.stable = 9
    expect(await heardOf(log.catchUpToEnd(async () => 9))).toEqual(['done', undefined])
  })

  it('W3 of a committed transaction is an error, and no answer', async () => {
    const { reader, log } = heldBack()
    const tools = { log, reader, ...PLACE }
    expect(await heardOf(readBack({ records: [], placed }, tools))).toMatchObject(notShown(5, 9))
  })

  it('P4 of a transaction in doubt is an error, and neither yes nor no', async () => {
    const { seen, reader, log } = heldBack()
    const plan = { planned: [], records: [], offsets: [] }
    const tools = { log, reader, names: { eventTopic: 'another' } }
    expect(await heardOf(wasCommitted(plan, placed, tools))).toMatchObject(notShown(7, 9))
    seen.stable = 9
    expect(await heardOf(wasCommitted(plan, placed, tools))).toEqual(['done', false])
  })
})
