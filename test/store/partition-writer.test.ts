import { afterEach, expect, it, vi } from 'vitest'
import { DuologError } from '../../src/core/errors.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { KafkaError, type PartitionReader, type TransactionalWriter } from '../../src/kafka/driver.ts'
import { CheckpointGuard } from '../../src/store/kafka/checkpoint-guard.ts'
import { namesOf } from '../../src/store/kafka/names.ts'
import type { PartitionLog } from '../../src/store/kafka/partition-log.ts'
import { PartitionWriter } from '../../src/store/kafka/partition-writer.ts'
import { endNotShown } from '../../src/store/kafka/store-errors.ts'
import { prepareAppend } from '../../src/store/prepare-append.ts'
import { systemClock, systemRandom } from '../../src/store/system.ts'

/* What a real broker is too slow to show; the writer's protocol is tried in test/model and test/kafka. */

const TOPIC = 'session.events'
const CALLERS = 2500

/** A broker whose every answer is there at once. */
function instantWriter(
  differently: Partial<TransactionalWriter> = {},
  catchUp: () => Promise<void> = async () => {},
  catchUpToEnd: () => Promise<void> = async () => {},
): PartitionWriter {
  const log = { position: 0, catchUp, catchUpToEnd } as unknown as PartitionLog
  const reader: PartitionReader = { fetch: async () => [], close: async () => {} }
  const writer: TransactionalWriter = {
    init: async () => {},
    endOf: async () => 0,
    transact: async () => ({ kind: 'committed', placed: [] }),
    close: async () => {},
    ...differently,
  }
  return new PartitionWriter({
    names: namesOf('', TOPIC),
    partition: 0,
    log,
    reader,
    writer,
    logger: silentLogger,
    facts: () => ({ currentVersion: () => 0, positionsOfKey: () => undefined, positionOfEvent: () => undefined }),
    partitionOf: () => 0,
    guard: new CheckpointGuard(),
    limits: { maxAppends: CALLERS, maxBytes: Number.MAX_SAFE_INTEGER },
  })
}

const context = { eventTopic: TOPIC, appendTimeoutMs: undefined, clock: systemClock, random: systemRandom }
const appendOf = (n: number) => prepareAppend(`s-${n}`, [{ type: 'Counted', data: n }], {}, context)

afterEach(() => void vi.useRealTimers())

it('P4 closed while a commit is in doubt and no broker answers: what was sent cannot be told, what waits was not written', async () => {
  vi.useFakeTimers()
  const away = new KafkaError('UNAVAILABLE', 'no broker')
  let inits = 0
  const writer = instantWriter({
    init: async () => {
      if (inits++ > 0) throw away
    },
    transact: async () => {
      void outcome(writer.append(appendOf(2)))
      return { kind: 'unknown', error: away, placed: [] }
    },
  })
  const heard: unknown[] = []
  const outcome = (answer: Promise<unknown>) =>
    answer.then(
      () => heard.push('written'),
      ({ code, message }: { code: string; message: string }) => heard.push([code, message]),
    )
  void outcome(writer.append(appendOf(1)))
  await vi.advanceTimersByTimeAsync(30_000)
  expect(heard).toEqual([]) // as long as the store is open the true outcome is awaited
  const closed = writer.close()
  await vi.advanceTimersByTimeAsync(10_000)
  await closed
  expect(heard).toEqual([
    ['APPEND_TIMEOUT', expect.stringMatching(/"s-1" is in the log cannot be told.*same idempotency key/)],
    ['APPEND_TIMEOUT', expect.stringMatching(/"s-2".*Nothing was written/)],
  ])
})

it('REPLICA_UNAVAILABLE is told to what waits, not that the broker is away', async () => {
  const full = new DuologError('REPLICA_UNAVAILABLE', 'the disk is full')
  const writer = instantWriter({}, async () => {
    throw full
  })
  await expect(writer.append(appendOf(1))).rejects.toBe(full)
  await writer.close()
})

it('W3 an end that is not shown: who was not sent hears which partition holds it up, and close comes to an end', async () => {
  vi.useFakeTimers()
  let asked = 0
  const writer = instantWriter({}, undefined, async () => {
    asked++
    throw endNotShown({ topic: TOPIC, partition: 0, shownTo: 5, end: 9, forMs: 15_000 })
  })
  const heard = writer.append(appendOf(1)).catch((error: unknown) => error)
  await vi.advanceTimersByTimeAsync(61_000)
  expect(await heard).toMatchObject({
    code: 'APPEND_TIMEOUT',
    message: expect.stringMatching(/Partition 0 of "session.events" goes on to offset 9.*Nothing was written/),
  })
  expect(asked).toBeGreaterThan(1)
  const closed = writer.close()
  await vi.advanceTimersByTimeAsync(10_000)
  await closed
})

it('close resolves after the last answer, also where many are answered beside the next transaction', async () => {
  const writer = instantWriter()
  let answered = 0
  for (let n = 0; n < CALLERS; n++) {
    void writer.append(appendOf(n)).then(() => answered++)
  }
  await writer.close()
  expect(answered).toBe(CALLERS)
})

it('an append that comes as the writer is about to rest is written, at whatever moment that is', async () => {
  for (let hops = 0; hops < 30; hops++) {
    const writer = instantWriter()
    await writer.append(appendOf(1))
    for (let hop = 0; hop < hops; hop++) await undefined
    const answer = writer.append(appendOf(2)).then(() => 'written')
    const tooLate = new Promise((resolve) => void setTimeout(resolve, 1000, `never begun, ${hops} turns later`))
    expect(await Promise.race([answer, tooLate])).toBe('written')
  }
})
