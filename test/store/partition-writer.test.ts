import { expect, it } from 'vitest'
import { silentLogger } from '../../src/core/logger.ts'
import type { PartitionReader, TransactionalWriter } from '../../src/kafka/driver.ts'
import { CheckpointGuard } from '../../src/store/kafka/checkpoint-guard.ts'
import { namesOf } from '../../src/store/kafka/names.ts'
import type { PartitionLog } from '../../src/store/kafka/partition-log.ts'
import { PartitionWriter } from '../../src/store/kafka/partition-writer.ts'
import { prepareAppend } from '../../src/store/prepare-append.ts'
import { systemClock, systemRandom } from '../../src/store/system.ts'

/* What a real broker is too slow to show; the writer's protocol is tried in test/model and test/kafka. */

const TOPIC = 'session.events'
const CALLERS = 2500

/** A broker whose every answer is there at once. */
function instantWriter(): PartitionWriter {
  const log = {
    position: 0,
    catchUp: async () => {},
    catchUpToEnd: async () => {},
  } as unknown as PartitionLog
  const reader: PartitionReader = { fetch: async () => [], close: async () => {} }
  const writer: TransactionalWriter = {
    init: async () => {},
    endOf: async () => 0,
    transact: async () => ({ kind: 'committed', placed: [] }),
    close: async () => {},
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

it('close resolves after the last answer, also where many are answered beside the next transaction', async () => {
  const writer = instantWriter()
  const context = { eventTopic: TOPIC, appendTimeoutMs: undefined, clock: systemClock, random: systemRandom }
  let answered = 0
  for (let n = 0; n < CALLERS; n++) {
    const append = prepareAppend(`s-${n}`, [{ type: 'Counted', data: n }], {}, context)
    void writer.append(append).then(() => answered++)
  }
  await writer.close()
  expect(answered).toBe(CALLERS)
})
