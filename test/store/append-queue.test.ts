import { afterEach, expect, it, vi } from 'vitest'
import { AppendQueue, type QueueLimits } from '../../src/store/kafka/append-queue.ts'
import { prepareAppend } from '../../src/store/prepare-append.ts'
import { systemClock, systemRandom } from '../../src/store/system.ts'

const WIDE: QueueLimits = { maxAppends: 1000, maxBytes: Number.MAX_SAFE_INTEGER }

function appendOf(n: number, { bytes = 1, timeoutMs = 60_000 } = {}) {
  const context = { eventTopic: 'e', appendTimeoutMs: timeoutMs, clock: systemClock, random: systemRandom }
  return prepareAppend(`s-${n}`, [{ type: 'Counted', data: 'x'.repeat(bytes) }], {}, context)
}

afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

it('Q1 an append that may wait for ever sets no timer that fires at once', async () => {
  const delays: unknown[] = []
  const timer = vi.spyOn(globalThis, 'setTimeout')
  const queue = new AppendQueue(WIDE)
  void queue.add(appendOf(1, { timeoutMs: Number.MAX_SAFE_INTEGER }))
  delays.push(...timer.mock.calls.map(([, ms]) => ms))
  expect(delays).toEqual([2 ** 31 - 1])
  expect(queue.length).toBe(1)
})

it('Q1 what may wait longer than a timer can is still there when that timer fires, and ends in its time', async () => {
  vi.useFakeTimers()
  const queue = new AppendQueue(WIDE)
  const days = 24 * 3600 * 1000
  const late = expect(queue.add(appendOf(1, { timeoutMs: 30 * days }))).rejects.toMatchObject({
    code: 'APPEND_TIMEOUT',
  })
  await vi.advanceTimersByTimeAsync(25 * days)
  expect(queue.length).toBe(1)
  await vi.advanceTimersByTimeAsync(6 * days)
  await late
})

it('Q2 bytes bound what is worked on: what finds no room stands in line, in order, and one alone always has room', async () => {
  const queue = new AppendQueue({ maxAppends: 1000, maxBytes: 5000 })
  const sizes = [3000, 3000, 10, 20_000]
  const answers = sizes.map((bytes, n) => queue.add(appendOf(n, { bytes, timeoutMs: 60_000 })))
  const inWork = () => queue.take(1).map((waiting) => waiting.append.stream)
  expect(queue.length).toBe(2) // the second one passes the limit, the third finds it passed
  expect(inWork()).toEqual(['s-0'])
  expect(queue.length).toBe(3)
  expect([inWork(), inWork(), inWork(), inWork()]).toEqual([['s-1'], ['s-2'], ['s-3'], []])
  for (const answer of answers) answer.catch(() => {})
})

it('Q2 who found no room for its bytes in time hears APPEND_QUEUE_FULL, and the limit', async () => {
  vi.useFakeTimers()
  const queue = new AppendQueue({ maxAppends: 1000, maxBytes: 1000 })
  void queue.add(appendOf(1, { bytes: 2000 }))
  const refused = expect(queue.add(appendOf(2, { timeoutMs: 50 }))).rejects.toMatchObject({
    code: 'APPEND_QUEUE_FULL',
    message: expect.stringMatching(/1000 bytes.*maxQueuedBytes/),
  })
  await vi.advanceTimersByTimeAsync(60)
  await refused
  expect(queue.length).toBe(1)
})
