import { afterEach, describe, expect, it, vi } from 'vitest'
import type { RecordedMessage } from '../../src/core/event.ts'
import type { FetchedPartition, FetchedRecord, KafkaDriver, PartitionReader } from '../../src/kafka/driver.ts'
import { type FedPartitionTools, fedPartition } from '../../src/store/kafka/fed-partition.ts'
import { MemoryReplica } from '../../src/store/kafka/memory-replica.ts'
import { namesOf } from '../../src/store/kafka/names.ts'
import { OwedVersions } from '../../src/store/kafka/owed-versions.ts'
import { FeedPartition } from '../../src/store/kafka/partition-feed.ts'
import { PartitionLog } from '../../src/store/kafka/partition-log.ts'
import { encodeRecord } from '../../src/store/kafka/record-codec.ts'

/* What consumers of the event topic are given: the facts of the replica, each once, and strangers where they are wanted. */

const names = namesOf('p.', 'events')

function record(offset: number, stream: string, version: number | undefined, value?: string): FetchedRecord {
  const time = '2026-11-23T12:00:00.000Z'
  const event = { eventId: `id-${offset}`, type: 'T', version: 1, timestamp: time, correlationId: stream, headers: {} }
  const dataJson = value ?? `{"n":${offset}}`
  const prepared = { ...event, topic: 'events', key: stream, data: null, dataJson }
  const sequence = version === undefined ? {} : { sequence: version }
  const encoded = encodeRecord(prepared, { topic: names.eventTopic, partition: 0, ...sequence })
  return { ...encoded, offset, timestampMs: 0 }
}

/** `from`: where the feed begins to read; the log is at its beginning. */
function fed(records: readonly FetchedRecord[], onStranger?: FedPartitionTools['onStranger'], from = 0) {
  const said: string[] = []
  const note = (_: object, message: string) => void said.push(message)
  const logger = { debug() {}, info() {}, warn: note, error: note }
  const place = { topic: names.eventTopic, partition: 0 }
  const end = records.length
  const fetched: FetchedPartition = {
    ...{ ...place, records, fromOffset: 0, nextOffset: end },
    ...{ stableOffset: end, highWatermark: end },
  }
  let fetches = 0
  const fetch = async () => {
    fetches++
    return [fetched]
  }
  const reader: PartitionReader = { fetch, close: async () => {} }
  const replica = new MemoryReplica()
  const log = new PartitionLog({
    ...{ topic: names.eventTopic, logicalTopic: 'events', partition: 0, partitionCount: 1 },
    ...{ reader, replica, logger, owed: new OwedVersions(), askEnd: async () => end, onEvents() {} },
  })
  const driver = { offsetOf: async () => end } as Partial<KafkaDriver> as KafkaDriver
  const tools = { driver, names, logger, eventLog: () => log, owe() {}, onStranger, who: 'A test' }
  const partition = new FeedPartition(place, from, tools)
  partition.deliver({ ...fetched, fromOffset: from, records: records.slice(from) })
  return { said, source: fedPartition(partition, tools), replica, fetches: () => fetches }
}

const heard = (messages: readonly RecordedMessage[]) =>
  messages.map(({ offset, eventId, key }) => [offset, eventId, key])

describe('a fed partition of the event topic', () => {
  const records = [
    record(0, 'a', 1),
    record(1, 'a', 1), // claims the place of an event that is there
    record(2, 'b', 7), // claims a place that is not its turn
    record(3, 'c', undefined),
    record(4, 'a', 2, 'no JSON'),
    record(5, 'a', 2),
  ]

  it('P3 gives each fact once: what claims the place of another one is none', async () => {
    const { source, said } = fed(records)
    expect(heard(await source.nextBatch())).toEqual([
      [0, 'id-0', 'a'],
      [5, 'id-5', 'a'],
    ])
    // Each was reported once, when the replica took it in.
    expect(said.map((line) => line.replace(/^Skipped a record that is no event: /, ''))).toEqual([
      'it claims to be event 1 of its stream, where event 2 is due',
      'it claims to be event 7 of its stream, where event 1 is due',
      'it has no header ce_sequence with a stream position',
      'its value is not JSON',
    ])
    expect(source.position()).toEqual({ topic: 'events', partition: 0, offset: 6 })
    expect(await source.nextBatch()).toEqual([])
  })

  it('gives what is no fact in its place to whoever wants to hear of it', async () => {
    const strangers: string[] = []
    const { source } = fed(records, (message, reason) => strangers.push(`${message.offset}: ${reason}`))
    expect((await source.nextBatch()).map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4, 5])
    expect(strangers).toEqual([
      '1: it claims a place in its stream that was not its turn',
      '2: it claims a place in its stream that was not its turn',
      '3: it has no header ce_sequence with a stream position',
      '4: its value is not JSON',
    ])
  })

  describe('what the feed has read', () => {
    afterEach(() => void vi.restoreAllMocks())

    it('is not read again for the replica', async () => {
      const { source, replica, fetches } = fed(records)
      expect(heard(await source.nextBatch())).toHaveLength(2)
      expect(replica.position).toBe(6)
      expect(fetches()).toBe(0)
    })

    it('does not follow what the replica has: the log is read', async () => {
      const { source, replica, fetches } = fed(records, undefined, 5)
      expect(heard(await source.nextBatch())).toEqual([[5, 'id-5', 'a']])
      expect(replica.position).toBe(6)
      expect(fetches()).toBeGreaterThan(0)
    })

    it('is not believed where the replica heard nothing for a while: the topic may have been made anew (L6)', async () => {
      const { source, fetches } = fed(records)
      const later = performance.now() + 6000
      vi.spyOn(performance, 'now').mockImplementation(() => later)
      expect(heard(await source.nextBatch())).toHaveLength(2)
      expect(fetches()).toBeGreaterThan(0)
    })
  })
})
