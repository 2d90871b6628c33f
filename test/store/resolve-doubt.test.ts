import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { FetchPosition, PartitionReader } from '../../src/kafka/driver.ts'
import { answer } from '../../src/store/judge-append.ts'
import { wasCommitted } from '../../src/store/kafka/resolve-doubt.ts'
import { prepareAppend } from '../../src/store/prepare-append.ts'

/* A transaction at offset 7 of the event topic, whose commit was not answered, and a log that was read so far. */

const TOPIC = 'session.events'
const PLACE = { topic: TOPIC, partition: 0 }
const placed = [{ ...PLACE, baseOffset: 7, lastOffset: 7 }]
const append = prepareAppend(
  'a',
  [{ type: 'Counted', data: 1 }],
  {},
  { eventTopic: TOPIC, clock: { now: () => 0 }, random: (count) => new Uint8Array(count) },
)
const appended = answer('a', { first: 1, last: 1 }, false)
const plan = { planned: [{ append, judgement: { kind: 'write', appended } as const }], records: [], offsets: [] }

/** Whoever asks a leader that leads no more sees an end before it, for so long; then that it is there, or that it is void. */
function readerOf({ hiddenUntilMs, isThere }: { hiddenUntilMs: number; isThere: boolean }): PartitionReader {
  const record = { offset: 7, timestampMs: 0, key: null, value: null, headers: {} }
  const fetch = async ([position]: readonly FetchPosition[]) => {
    const { offset: fromOffset } = position as FetchPosition
    const end = performance.now() < hiddenUntilMs ? 5 : 9
    const records = end > 7 && isThere ? [record] : []
    const nextOffset = Math.max(fromOffset, end)
    return [{ ...PLACE, fromOffset, records, nextOffset, stableOffset: end, highWatermark: end }]
  }
  return { fetch, close: async () => {} }
}

async function resolved(log: { position: number; eventAt: () => undefined }, reader: PartitionReader) {
  const asked = wasCommitted(plan, placed, { log, reader, names: { eventTopic: TOPIC } })
  await vi.advanceTimersByTimeAsync(20_000)
  return asked
}

describe('a transaction in doubt, whose event was not found', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it.each([true, false])('W4 P5 where its place was not read yet, the place itself tells: %s', async (isThere) => {
    const reader = readerOf({ hiddenUntilMs: performance.now() + 3000, isThere })
    expect(await resolved({ position: 5, eventAt: () => undefined }, reader)).toBe(isThere)
  })

  it('was not committed where the log was read beyond its place', async () => {
    const reader = readerOf({ hiddenUntilMs: 0, isThere: true })
    expect(await resolved({ position: 9, eventAt: () => undefined }, reader)).toBe(false)
  })
})
