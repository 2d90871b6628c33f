import { expect, it } from 'vitest'
import { silentLogger } from '../../src/core/logger.ts'
import type { FetchedRecord, PartitionReader } from '../../src/kafka/driver.ts'
import { MemoryReplica } from '../../src/store/kafka/memory-replica.ts'
import { OwedVersions } from '../../src/store/kafka/owed-versions.ts'
import { PartitionLog } from '../../src/store/kafka/partition-log.ts'
import { ReplicaLost } from '../../src/store/kafka/partition-replica.ts'
import { encodeRecord } from '../../src/store/kafka/record-codec.ts'

/* What messages in hand tell of, and a read must show. On a broker: test/kafka/message-before-event.test.ts. */

const at = (versions: Readonly<Record<string, number>>) => (stream: string) => versions[stream] ?? 0

it('owes the highest version of a stream until it is there', () => {
  const owed = new OwedVersions()
  owed.add('s', 3)
  owed.add('s', 2)
  owed.add('t', 1)
  expect(owed.take(at({ s: 2, t: 1 }))).toEqual(new Map([['s', 3]]))
  expect(owed.take(at({}))).toBeUndefined() // somebody looks for it by now
})

it('owes again what could not be looked for, beside what has come since', () => {
  const owed = new OwedVersions()
  owed.add('s', 3)
  const missing = owed.take(at({}))
  owed.add('t', 1)
  owed.putBack(missing ?? new Map())
  expect(owed.take(at({}))).toEqual(new Map(Object.entries({ s: 3, t: 1 })))
})

it('keeps no more than a mark for a process that never reads', () => {
  const owed = new OwedVersions()
  for (let n = 0; n < 5000; n++) owed.add(`s-${n}`, 1)
  expect(owed.take(() => 1)).toBe('everything')
  owed.putBack('everything')
  owed.add('s', 1)
  expect(owed.take(() => 1)).toBe('everything')
  expect(owed.take(() => 1)).toBeUndefined()
})

it('L8 a replica that is found damaged as it is asked is filled again, and the read goes on', async () => {
  const place = { topic: 'events', partition: 0 }
  const said = { eventId: 'e1', type: 'Said', version: 1, timestamp: '2026-11-28T00:00:00.000Z', correlationId: 's' }
  const prepared = { ...said, topic: 'events', key: 's', headers: {}, dataJson: '1' }
  const record: FetchedRecord = { ...encodeRecord(prepared, { ...place, sequence: 1 }), offset: 0, timestampMs: 0 }
  const reader: PartitionReader = {
    fetch: async ([position]) => {
      const fromOffset = position?.offset ?? 0
      const records = fromOffset === 0 ? [record] : []
      return [{ ...place, fromOffset, records, nextOffset: 1, stableOffset: 1, highWatermark: 1 }]
    },
    close: async () => {},
  }
  const replica = new MemoryReplica()
  const { facts } = replica
  let isDamaged = true
  replica.facts = (stream) => {
    if (!isDamaged) return facts.call(replica, stream)
    isDamaged = false
    replica.clear()
    throw new ReplicaLost('damaged')
  }
  const owed = new OwedVersions()
  owed.add('s', 1)
  const log = new PartitionLog({
    ...{ ...place, logicalTopic: 'events', partitionCount: 1, reader, replica, logger: silentLogger, owed },
    ...{ askEnd: async () => 1, onEvents() {} },
  })
  await log.catchUp()
  expect(await log.versionOf('s')).toBe(1)
  expect(isDamaged).toBe(false)
})
