import { describe, expect, it } from 'vitest'
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

function fed(records: readonly FetchedRecord[], onStranger?: FedPartitionTools['onStranger']) {
  const said: string[] = []
  const note = (_: object, message: string) => void said.push(message)
  const logger = { debug() {}, info() {}, warn: note, error: note }
  const place = { topic: names.eventTopic, partition: 0 }
  const end = records.length
  const fetched: FetchedPartition = {
    ...{ ...place, records, fromOffset: 0, nextOffset: end },
    ...{ stableOffset: end, highWatermark: end },
  }
  const reader: PartitionReader = { fetch: async () => [fetched], close: async () => {} }
  const replica = new MemoryReplica()
  const log = new PartitionLog({
    ...{ topic: names.eventTopic, logicalTopic: 'events', partition: 0, partitionCount: 1 },
    ...{ reader, replica, logger, owed: new OwedVersions(), askEnd: async () => end, onEvents() {} },
  })
  const driver = { offsetOf: async () => end } as Partial<KafkaDriver> as KafkaDriver
  const tools = { driver, names, logger, eventLog: () => log, owe() {}, onStranger, who: 'A test' }
  const partition = new FeedPartition(place, 0, tools)
  partition.deliver(fetched)
  return { said, source: fedPartition(partition, tools) }
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
})
