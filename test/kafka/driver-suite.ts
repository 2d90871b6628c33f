import { setTimeout as sleep } from 'node:timers/promises'
import { type Kafka, Partitioners } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { silentLogger } from '../../src/core/logger.ts'
import { connectDriver, type KafkaDriverName } from '../../src/kafka/connect-driver.ts'
import type {
  DriverRecord,
  FetchedPartition,
  FetchedRecord,
  GroupMember,
  KafkaDriver,
  MemberOptions,
  PartitionReader,
  TopicPartition,
  TransactionOutcome,
} from '../../src/kafka/driver.ts'
import { uniquePrefix } from '../support/kafka.ts'
import { compressedValues } from './compressed-values.ts'
import { plainClient } from './log-check.ts'

/*
 * What the driver port promises, asked of one driver on a real broker. Where a test needs something the port does not
 * offer (a transaction left open, a compressed batch), it uses kafkajs's own public client, whichever driver is tested.
 */

export interface DriverSuite {
  readonly driver: KafkaDriverName
  readonly brokers: string
  /** Of the topics the suite makes. Default: the broker's. */
  readonly replicationFactor?: number
}

const PATIENCE_MS = 20_000

export function driverSuite({ driver: name, brokers, replicationFactor }: DriverSuite): void {
  describe(`Kafka driver: ${name}`, () => {
    let driver: KafkaDriver
    let plain: Kafka
    const prefix = uniquePrefix(`driver-${name}`)
    const closing: (() => Promise<unknown>)[] = []
    let names = 0

    beforeAll(async () => {
      driver = await connect(brokers.split(','))
      plain = plainClient(brokers)
    })

    afterAll(async () => {
      for (const close of closing.reverse()) await close()
      await driver.close()
    })

    function connect(addresses: readonly string[]): Promise<KafkaDriver> {
      const options = { brokers: addresses, clientId: 'suite', logger: silentLogger, connectTimeoutMs: 5000 }
      return connectDriver(name, options)
    }

    function unique(label: string): string {
      return `${prefix}${label}-${names++}`
    }

    async function newTopic(partitions = 1, config: Record<string, string> = {}): Promise<string> {
      const topic = unique('topic')
      await driver.createTopics([{ topic, partitions, replicationFactor, config }])
      for (let partition = 0; partition < partitions; partition++) {
        await until(() => driver.offsetOf({ topic, partition }, 'latest').then(() => true))
      }
      return topic
    }

    function reader(): PartitionReader {
      const opened = driver.openReader()
      closing.push(() => opened.close())
      return opened
    }

    function writer(transactionalId = unique('id'), transactionTimeoutMs = 10_000) {
      const opened = driver.openWriter({ transactionalId, transactionTimeoutMs })
      closing.push(() => opened.close())
      return opened
    }

    /** All that a read_committed reader gets, from an offset to the end: markers of what was just committed are waited for. */
    async function readAll(place: TopicPartition, offset = 0): Promise<readonly FetchedRecord[]> {
      const from = reader()
      const records: FetchedRecord[] = []
      for (let next = offset; ; ) {
        const fetched = await fetchOne(from, place, next)
        records.push(...fetched.records)
        next = fetched.nextOffset
        if (next >= fetched.highWatermark) return records
      }
    }

    /** A transaction that somebody else has begun and not ended. */
    async function openTransaction(transactionalId: string, topic: string, value: string) {
      const producer = plain.producer({
        transactionalId,
        idempotent: true,
        maxInFlightRequests: 1,
        createPartitioner: Partitioners.DefaultPartitioner,
        retry: { retries: 2 },
      })
      await producer.connect()
      closing.push(() => producer.disconnect())
      const transaction = await producer.transaction()
      await transaction.send({ topic, messages: [{ value, partition: 0 }] })
      return transaction
    }

    describe('administration', () => {
      it('describes the topics that exist, and only those, with their configs', async () => {
        const topic = await newTopic(3, { 'cleanup.policy': 'compact', 'retention.ms': '5000' })
        const described = await driver.describeTopics([topic, unique('missing')])
        expect(described).toMatchObject([{ topic, partitions: 3, cleanupPolicy: 'compact', retentionMs: 5000 }])
        expect(described[0]?.config.get('cleanup.policy')).toEqual({ value: 'compact', own: true })
        expect(described[0]?.config.get('min.insync.replicas')).toMatchObject({ own: false })
        expect(described[0]?.replicationFactor).toBeGreaterThan(0)
      })

      it('leaves a topic as it is that exists already', async () => {
        const topic = await newTopic(2)
        await driver.createTopics([
          { topic, partitions: 5, replicationFactor },
          { topic: `${topic}-beside`, partitions: 1, replicationFactor },
        ])
        await until(async () => (await driver.describeTopics([`${topic}-beside`])).length === 1)
        expect(await driver.describeTopics([topic])).toMatchObject([{ partitions: 2 }])
      })

      it('tells what the broker refuses by its own name', async () => {
        const creating = driver.createTopics([{ topic: unique('bad'), partitions: 1, config: { 'no.such': 'thing' } }])
        await expect(creating).rejects.toMatchObject({ name: 'KafkaError', code: 'REFUSED', type: 'INVALID_CONFIG' })
      })

      it('changes some configs and leaves the others; adds partitions', async () => {
        const topic = await newTopic(1, { 'retention.ms': '5000', 'segment.ms': '60000' })
        await driver.alterTopicConfig(topic, { 'retention.ms': '-1' })
        await driver.addPartitions(topic, 3)
        await until(async () => {
          const [described] = await driver.describeTopics([topic])
          return described?.partitions === 3 && described.retentionMs === -1
        })
        const [described] = await driver.describeTopics([topic])
        expect(described?.config.get('segment.ms')).toEqual({ value: '60000', own: true })
      })

      it('knows the first offset, the last stable one and the high watermark', async () => {
        const topic = await newTopic()
        const place = { topic, partition: 0 }
        await driver.produce([record(topic, 'a'), record(topic, 'b')])
        const open = await openTransaction(unique('open'), topic, 'open')
        expect(await driver.offsetOf(place, 'earliest')).toBe(0)
        expect(await driver.offsetOf(place, 'latest')).toBe(2)
        await until(async () => (await driver.offsetOf(place, 'written')) === 3)
        await open.abort()
        await until(async () => (await driver.offsetOf(place, 'latest')) === 4) // the record and its marker
      })
    })

    describe('plain records', () => {
      it('come back as they went: keys, values, headers, each partition in order', async () => {
        const topic = await newTopic(2)
        const sent: DriverRecord[] = [
          {
            topic,
            partition: 0,
            key: Buffer.from('k'),
            value: Buffer.from('v'),
            headers: { h: 'ü', b: Buffer.of(0, 255) },
          },
          { topic, partition: 0, key: null, value: null, headers: {} },
          { topic, partition: 0, key: Buffer.alloc(0), value: Buffer.alloc(0), headers: { empty: '' } },
          { topic, partition: 1, key: Buffer.of(255, 254), value: Buffer.from('日本'), headers: {} },
        ]
        const before = Date.now()
        await driver.produce(sent)
        const [first, second, third] = await readAll({ topic, partition: 0 })
        expect([first, second, third].map((each) => [each?.offset, each?.key, each?.value])).toEqual([
          [0, Buffer.from('k'), Buffer.from('v')],
          [1, null, null],
          [2, Buffer.alloc(0), Buffer.alloc(0)],
        ])
        expect(first?.headers).toEqual({ h: Buffer.from('ü'), b: Buffer.of(0, 255) })
        expect(third?.headers).toEqual({ empty: Buffer.alloc(0) })
        expect(Math.abs((first?.timestampMs ?? 0) - before)).toBeLessThan(60_000)
        const [other] = await readAll({ topic, partition: 1 })
        expect([other?.key, String(other?.value)]).toEqual([Buffer.of(255, 254), '日本'])
      })

      it("have the broker's time where the topic says so", async () => {
        const topic = await newTopic(1, { 'message.timestamp.type': 'LogAppendTime' })
        const producer = plain.producer({ createPartitioner: Partitioners.DefaultPartitioner })
        await producer.connect()
        await producer.send({ topic, messages: [{ value: 'old', timestamp: '1000' }] })
        await producer.disconnect()
        const [read] = await readAll({ topic, partition: 0 })
        expect(read?.timestampMs).toBeGreaterThan(1_600_000_000_000)
      })

      it('of strangers are read too: compressed, with repeated headers', async () => {
        const topic = await newTopic()
        const producer = plain.producer({ createPartitioner: Partitioners.DefaultPartitioner })
        await producer.connect()
        const messages = ['a', 'b', 'c'].map((value) => ({ value, headers: { twice: ['1', '2'] } }))
        await producer.send({ topic, compression: 1, messages })
        await producer.disconnect()
        const read = await readAll({ topic, partition: 0 })
        expect(read.map(({ offset, value }) => [offset, String(value)])).toEqual([
          [0, 'a'],
          [1, 'b'],
          [2, 'c'],
        ])
        expect([read[0]?.headers.twice].flat().map(String)).toEqual(['1', '2'])
      })

      it.each(['gzip', 'snappy', 'lz4', 'zstd'])('are read where the topic compresses with %s', async (codec) => {
        const topic = await newTopic(1, { 'compression.type': codec })
        const values = compressedValues()
        await driver.produce(values.map((value) => record(topic, value)))
        const transactional = writer()
        await transactional.init()
        const outcome = await transactional.transact({ records: [record(topic, 'in a transaction')], offsets: [] })
        expect(outcome.kind).toBe('committed')
        const read = await readAll({ topic, partition: 0 })
        expect(read.map(({ value }) => String(value))).toEqual([...values, 'in a transaction'].map(String))
      })

      it('too large for the topic are refused by name, and their neighbours are not in their way', async () => {
        const topic = await newTopic(1, { 'max.message.bytes': '2000' })
        const tooLarge = driver.produce([record(topic, 'x'.repeat(5000))])
        await expect(tooLarge).rejects.toMatchObject({ code: 'REFUSED', type: 'MESSAGE_TOO_LARGE' })
        await driver.produce([record(topic, 'small')])
        expect((await readAll({ topic, partition: 0 })).map(({ value }) => String(value))).toEqual(['small'])
      })
    })

    describe('reading', () => {
      it('D1 hands out no record of an open or an aborted transaction', async () => {
        const topic = await newTopic()
        const place = { topic, partition: 0 }
        const aborted = await openTransaction(unique('aborted'), topic, 'aborted')
        await aborted.abort()
        await driver.produce([record(topic, 'plain')])
        const open = await openTransaction(unique('open'), topic, 'open')
        const from = reader()
        const before = await fetchUntil(from, place, ({ stableOffset }) => stableOffset === 3)
        expect(before.records.map(({ value }) => String(value))).toEqual(['plain'])
        expect(before).toMatchObject({ nextOffset: 3, stableOffset: 3, highWatermark: 4 })
        await open.commit()
        const after = await fetchUntil(from, { ...place }, ({ stableOffset }) => stableOffset === 5)
        expect(after.records.map(({ value }) => String(value))).toEqual(['plain', 'open'])
      })

      it('D2 moves past markers and aborted records, so that the end can be reached', async () => {
        const topic = await newTopic()
        const aborted = await openTransaction(unique('aborted'), topic, 'aborted')
        await aborted.abort()
        const fetched = await fetchUntil(reader(), { topic, partition: 0 }, ({ stableOffset }) => stableOffset === 2)
        expect(fetched.records).toEqual([])
        expect(fetched.nextOffset).toBe(2)
      })

      it('begins where it was asked to, also within a batch', async () => {
        const topic = await newTopic()
        await driver.produce(['a', 'b', 'c', 'd'].map((value) => record(topic, value)))
        const read = await readAll({ topic, partition: 0 }, 2)
        expect(read.map(({ offset, value }) => [offset, String(value)])).toEqual([
          [2, 'c'],
          [3, 'd'],
        ])
      })

      it('reads several partitions of several topics in one request', async () => {
        const [one, two] = [await newTopic(2), await newTopic()]
        await driver.produce([record(one, 'a'), { ...record(one, 'b'), partition: 1 }, record(two, 'c')])
        const places = [
          { topic: one, partition: 0 },
          { topic: one, partition: 1 },
          { topic: two, partition: 0 },
        ]
        const seen = new Map<string, string>()
        const from = reader()
        while (seen.size < 3) {
          const positions = places.map((place) => ({ ...place, offset: 0 }))
          for (const { topic, partition, records } of await from.fetch(positions, { maxWaitMs: 100 })) {
            if (records[0] !== undefined) seen.set(`${topic}/${partition}`, String(records[0].value))
          }
        }
        expect([...seen.values()].sort()).toEqual(['a', 'b', 'c'])
      })

      it('asks nothing more once it is closed, also when it was closed while it waited', async () => {
        const place = { topic: await newTopic(), partition: 0 }
        const closed = driver.openReader()
        const waiting = closed.fetch([{ ...place, offset: 0 }], { maxWaitMs: 2000 }).catch(() => {})
        await closed.close()
        await waiting
        const late = closed.fetch([{ ...place, offset: 0 }], { maxWaitMs: 0 })
        await expect(late).rejects.toMatchObject({ name: 'KafkaError', code: 'REFUSED' })
      })

      it('answers a waiting fetch when a record comes', async () => {
        const topic = await newTopic()
        const from = reader()
        await fetchOne(from, { topic, partition: 0 }, 0)
        const waiting = from.fetch([{ topic, partition: 0, offset: 0 }], { maxWaitMs: 3000 })
        await driver.produce([record(topic, 'new')])
        const [fetched] = await waiting
        expect(fetched?.records.map(({ value }) => String(value))).toEqual(['new'])
      })

      it('says so when the position is not in the log, and goes on afterwards', async () => {
        const topic = await newTopic()
        await driver.produce([record(topic, 'a')])
        const from = reader()
        const fetching = from.fetch([{ topic, partition: 0, offset: 100 }], { maxWaitMs: 0 })
        await expect(fetching).rejects.toMatchObject({ name: 'KafkaError', code: 'OFFSET_OUT_OF_RANGE' })
        expect((await fetchOne(from, { topic, partition: 0 }, 0)).records).toHaveLength(1)
      })

      it('of a topic that does not exist is worth a retry: once it is there, the same reader reads it', async () => {
        const topic = unique('later')
        const from = reader()
        const fetching = from.fetch([{ topic, partition: 0, offset: 0 }], { maxWaitMs: 0 })
        await expect(fetching).rejects.toMatchObject({ code: 'UNAVAILABLE', type: 'UNKNOWN_TOPIC_OR_PARTITION' })
        await driver.createTopics([{ topic, partitions: 1, replicationFactor }])
        await until(async () => (await fetchOne(from, { topic, partition: 0 }, 0)).stableOffset === 0)
      })
    })

    describe('the transactional writer', () => {
      it('commits records and offsets together, and tells where the records are', async () => {
        const topic = await newTopic(2)
        const group = unique('group')
        const out = writer()
        await out.init()
        const outcome = await out.transact({
          records: [record(topic, 'a'), record(topic, 'b'), { ...record(topic, 'c'), partition: 1 }],
          offsets: [{ group, offsets: [{ topic, partition: 0, offset: 7 }] }],
        })
        expect(outcome.kind).toBe('committed')
        expect(placedOf(outcome)).toEqual([
          [topic, 0, 0, 1],
          [topic, 1, 0, 0],
        ])
        const read = await fetchUntil(reader(), { topic, partition: 0 }, ({ stableOffset }) => stableOffset === 3)
        expect(read.records.map(({ value }) => String(value))).toEqual(['a', 'b'])
        expect(await committedOf(group, topic)).toBe('7')
      })

      it('runs one transaction right after the other', async () => {
        const topic = await newTopic()
        const out = writer()
        await out.init()
        const kinds: string[] = []
        for (let n = 0; n < 20; n++) kinds.push((await out.transact(justRecords(record(topic, String(n))))).kind)
        expect(new Set(kinds)).toEqual(new Set(['committed']))
        const read = await fetchUntil(reader(), { topic, partition: 0 }, ({ stableOffset }) => stableOffset === 40)
        expect(read.records.map(({ value }) => String(value))).toEqual(Array.from({ length: 20 }, (_, n) => String(n)))
      })

      it('writes nothing before init', async () => {
        const topic = await newTopic()
        const outcome = await writer().transact(justRecords(record(topic, 'a')))
        expect(outcome).toMatchObject({ kind: 'aborted', error: { code: 'FENCED' } })
        expect(await driver.offsetOf({ topic, partition: 0 }, 'latest')).toBe(0)
      })

      it('D4 is fenced by who initialises the id after it, and writes nothing any more', async () => {
        const topic = await newTopic()
        const id = unique('id')
        const [first, second] = [writer(id), writer(id)]
        await first.init()
        expect((await first.transact(justRecords(record(topic, 'first')))).kind).toBe('committed')
        await second.init()
        const late = await first.transact({
          ...justRecords(record(topic, 'zombie')),
          offsets: [{ group: unique('group'), offsets: [{ topic, partition: 0, offset: 1 }] }],
        })
        expect(late).toMatchObject({ kind: 'aborted', error: { name: 'KafkaError', code: 'FENCED' } })
        expect((await second.transact(justRecords(record(topic, 'second')))).kind).toBe('committed')
        const read = await fetchUntil(reader(), { topic, partition: 0 }, ({ stableOffset }) => stableOffset === 4)
        expect(read.records.map(({ value }) => String(value))).toEqual(['first', 'second'])
      })

      it('finishes with init what an earlier process left open', async () => {
        const topic = await newTopic()
        const id = unique('id')
        await openTransaction(id, topic, 'left open')
        const out = writer(id)
        await out.init()
        expect((await out.transact(justRecords(record(topic, 'mine')))).kind).toBe('committed')
        const read = await fetchUntil(reader(), { topic, partition: 0 }, ({ stableOffset }) => stableOffset === 4)
        expect(read.records.map(({ value }) => String(value))).toEqual(['mine'])
      })

      it('D3 aborts for certain what the broker refuses, and works on after the next init', async () => {
        const topic = await newTopic(2, { 'max.message.bytes': '2000' })
        const out = writer()
        await out.init()
        const large = { ...record(topic, 'x'.repeat(5000)), partition: 1 }
        const outcome = await out.transact(justRecords(record(topic, 'beside'), large))
        expect(outcome).toMatchObject({ kind: 'aborted', error: { code: 'REFUSED', type: 'MESSAGE_TOO_LARGE' } })
        await out.init()
        expect((await out.transact(justRecords(record(topic, 'small')))).kind).toBe('committed')
        const read = await fetchUntil(reader(), { topic, partition: 0 }, ({ stableOffset }) => stableOffset === 4)
        expect(read.records.map(({ value }) => String(value))).toEqual(['small'])
      })

      it('aborts what may not be committed where it came to lie: records, offsets, and works on after the next init', async () => {
        const topic = await newTopic()
        const group = unique('group')
        const out = writer()
        await out.init()
        await driver.produce([record(topic, 'stranger')])
        const asked: unknown[] = []
        const outcome = await out.transact({
          records: [record(topic, 'mine')],
          offsets: [{ group, offsets: [{ topic, partition: 0, offset: 7 }] }],
          mayCommit: (placed) => {
            asked.push(...placed)
            return false
          },
        })
        expect(outcome).toMatchObject({ kind: 'aborted', error: { code: 'FENCED' } })
        expect(asked).toEqual([{ topic, partition: 0, baseOffset: 1, lastOffset: 1 }])
        await out.init()
        expect((await out.transact({ ...justRecords(record(topic, 'next')), mayCommit: () => true })).kind).toBe(
          'committed',
        )
        expect((await readAll({ topic, partition: 0 })).map(({ value }) => String(value))).toEqual(['stranger', 'next'])
        expect(await committedOf(group, topic)).toBe('-1')
      })

      it('D5 tells the end of a partition, also behind a transaction that is open', async () => {
        const topic = await newTopic()
        const out = writer()
        await out.init()
        expect(await out.endOf({ topic, partition: 0 })).toBe(0)
        expect((await out.transact(justRecords(record(topic, 'mine')))).kind).toBe('committed')
        const open = await openTransaction(unique('open'), topic, 'open')
        await until(async () => (await out.endOf({ topic, partition: 0 })) === 3) // a record, its marker, and what is open
        await open.abort()
      })

      it('aborts what goes to a topic that does not exist, and writes to it once it does', async () => {
        const topic = unique('later')
        const out = writer(unique('id'), 3000)
        await out.init()
        const outcome = await out.transact(justRecords(record(topic, 'early')))
        expect(outcome).toMatchObject({ kind: 'aborted', error: { code: 'UNAVAILABLE' } })
        await driver.createTopics([{ topic, partitions: 1, replicationFactor }])
        await until(async () => {
          await out.init()
          return (await out.transact(justRecords(record(topic, 'late')))).kind === 'committed'
        })
        expect((await readAll({ topic, partition: 0 })).map(({ value }) => String(value))).toEqual(['late'])
      })

      it('takes more in one transaction than fits in one request', async () => {
        const topic = await newTopic()
        const out = writer()
        await out.init()
        const values = Array.from({ length: 30 }, (_, n) => `${n}:${'x'.repeat(100_000)}`)
        const outcome = await out.transact(justRecords(...values.map((value) => record(topic, value))))
        expect(outcome.kind).toBe('committed')
        const read = await readAll({ topic, partition: 0 })
        expect(read.map(({ value }) => String(value).split(':')[0])).toEqual(values.map((_, n) => String(n)))
      })
    })

    describe('the member of a group', () => {
      interface Watched extends GroupMember {
        readonly assigned: string[][]
      }

      function member(group: string, topics: readonly string[], options: Partial<MemberOptions> = {}): Watched {
        const assigned: string[][] = []
        const opened = driver.openMember({
          group,
          topics,
          sessionTimeoutMs: 6000,
          rebalanceTimeoutMs: 20_000,
          onRevoked: async () => {},
          ...options,
          onAssigned: (places) => void assigned.push(places.map(({ partition }) => String(partition)).sort()),
        })
        closing.push(() => opened.leave())
        return Object.assign(opened, { assigned })
      }

      it('alone gets every partition; its commits are found again', async () => {
        const topic = await newTopic(3)
        const group = unique('group')
        const alone = member(group, [topic])
        await alone.joined
        expect(alone.assigned).toEqual([['0', '1', '2']])
        const places = [0, 1].map((partition) => ({ topic, partition }))
        expect(await alone.committed(places)).toEqual([undefined, undefined])
        await alone.commit([{ topic, partition: 1, offset: 5 }])
        expect(await alone.committed(places)).toEqual([undefined, { topic, partition: 1, offset: 5 }])
        await alone.leave()
        const next = member(group, [topic])
        await next.joined
        expect(await next.committed(places)).toEqual([undefined, { topic, partition: 1, offset: 5 }])
      })

      it('shares with who comes, after its own handlers have ended, and gets all back from who leaves', async () => {
        const topic = await newTopic(4)
        const group = unique('group')
        const handlers = Promise.withResolvers<void>()
        const revoked = Promise.withResolvers<void>()
        const first = member(group, [topic], {
          onRevoked: () => {
            revoked.resolve()
            return handlers.promise
          },
        })
        await first.joined
        const before = first.identity
        const second = member(group, [topic])
        await revoked.promise
        await first.commit([{ topic, partition: 3, offset: 9 }]) // what its handlers did still counts
        expect(second.assigned).toEqual([])
        handlers.resolve()
        await second.joined
        await until(async () => first.assigned.length === 2)
        expect([...(first.assigned[1] ?? []), ...(second.assigned[0] ?? [])].sort()).toEqual(['0', '1', '2', '3'])
        expect(second.assigned[0]).toHaveLength(2)
        expect(first.identity).not.toBe(before)
        expect(await second.committed([{ topic, partition: 3 }])).toEqual([{ topic, partition: 3, offset: 9 }])
        await second.leave()
        await until(async () => first.assigned.at(-1)?.length === 4)
      })

      it('that does not end its handlers in time has lost its partitions: its commit is FENCED', async () => {
        const topic = await newTopic(1)
        const group = unique('group')
        const handlers = Promise.withResolvers<void>()
        const revoked = Promise.withResolvers<void>()
        const slow = member(group, [topic], {
          rebalanceTimeoutMs: 1500,
          onRevoked: () => {
            revoked.resolve()
            return handlers.promise
          },
        })
        await slow.joined
        const next = member(group, [topic], { rebalanceTimeoutMs: 1500 })
        await revoked.promise
        await until(async () => next.assigned.at(-1)?.length === 1)
        const commit = slow.commit([{ topic, partition: 0, offset: 1 }])
        await expect(commit).rejects.toMatchObject({ name: 'KafkaError', code: 'FENCED' })
        handlers.resolve()
      })

      it('D6 that has lost its partitions moves nothing by a transaction either: aborted, and told whose offsets', async () => {
        const topic = await newTopic(1)
        const group = unique('group')
        const first = member(group, [topic])
        await first.joined
        const { identity } = first
        const out = writer()
        await out.init()
        const moveTo = (offset: number, of: string) => ({
          records: [record(topic, of)],
          offsets: [{ group, identity: of, offsets: [{ topic, partition: 0, offset }] }],
        })
        expect((await out.transact(moveTo(5, identity))).kind).toBe('committed')
        const second = member(group, [topic])
        await second.joined
        await until(async () => first.identity !== identity)
        const late = await out.transact(moveTo(7, identity))
        expect(late).toMatchObject({ kind: 'aborted', error: { code: 'FENCED' }, fenced: { group, identity } })
        await out.init()
        const stranger = await out.transact(moveTo(8, `nobody/${identity.split('/').at(-1)}`))
        expect(stranger).toMatchObject({ kind: 'aborted', error: { code: 'FENCED' }, fenced: { group } })
        await out.init()
        expect(await committedOf(group, topic)).toBe('5')
        expect((await out.transact(moveTo(6, first.identity))).kind).toBe('committed')
        expect(await committedOf(group, topic)).toBe('6')
      })

      it('D6 hears of no place while a transaction that moves it is undecided', async () => {
        const topic = await newTopic(1)
        const group = unique('group')
        const alone = member(group, [topic])
        await alone.joined
        const producer = plain.producer({ transactionalId: unique('open'), maxInFlightRequests: 1, idempotent: true })
        await producer.connect()
        closing.push(() => producer.disconnect())
        const open = await producer.transaction()
        const offsets = [{ topic, partitions: [{ partition: 0, offset: '4' }] }]
        await open.sendOffsets({ consumerGroupId: group, topics: offsets })
        const asked = alone.committed([{ topic, partition: 0 }])
        await expect(asked).rejects.toMatchObject({ code: 'UNAVAILABLE', type: 'UNSTABLE_OFFSET_COMMIT' })
        await open.commit()
        const moved = async () => {
          const [found] = await alone.committed([{ topic, partition: 0 }]).catch(() => [])
          return found?.offset === 4
        }
        await until(moved)
      })

      it('gets new partitions among members of other topics only of those it reads', async () => {
        const [one, two] = [await newTopic(2), await newTopic(3)]
        const group = unique('group')
        const [first, second] = [member(group, [one]), member(group, [two])]
        await Promise.all([first.joined, second.joined])
        await until(async () => first.assigned.at(-1)?.length === 2 && second.assigned.at(-1)?.length === 3)
      })
    })

    it('says within its time that no broker answers, and names the address', async () => {
      const started = performance.now()
      const connecting = connect(['127.0.0.1:9'])
      await expect(connecting).rejects.toMatchObject({
        code: 'BROKER_UNREACHABLE',
        message: expect.stringContaining('127.0.0.1:9'),
      })
      expect(performance.now() - started).toBeLessThan(10_000)
    })

    it('finds the cluster by any one address that answers', async () => {
      const found = await connect(['127.0.0.1:9', ...brokers.split(',')])
      expect(await found.describeTopics([unique('none')])).toEqual([])
      await found.close()
    })

    async function committedOf(group: string, topic: string): Promise<string | undefined> {
      const admin = plain.admin()
      await admin.connect()
      const [committed] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
      await admin.disconnect()
      return committed?.partitions.find(({ partition }) => partition === 0)?.offset
    }
  })
}

function record(topic: string, value: string | Buffer): DriverRecord {
  return {
    topic,
    partition: 0,
    key: Buffer.from('key'),
    value: typeof value === 'string' ? Buffer.from(value) : value,
    headers: {},
  }
}

function justRecords(...records: DriverRecord[]) {
  return { records, offsets: [] }
}

function placedOf(outcome: TransactionOutcome) {
  const placed = outcome.kind === 'aborted' ? [] : outcome.placed
  return placed.map(({ topic, partition, baseOffset, lastOffset }) => [topic, partition, baseOffset, lastOffset]).sort()
}

async function fetchOne(reader: PartitionReader, place: TopicPartition, offset: number): Promise<FetchedPartition> {
  const [fetched] = await reader.fetch([{ ...place, offset }], { maxWaitMs: 50 })
  if (fetched === undefined) throw new Error('The partition that was asked for is not in the answer')
  return fetched
}

/** Reads from the beginning until the broker's state is as expected: markers are written a moment after the answer. */
async function fetchUntil(
  reader: PartitionReader,
  place: TopicPartition,
  ready: (fetched: FetchedPartition) => boolean,
): Promise<FetchedPartition> {
  let fetched = await fetchOne(reader, place, 0)
  await until(
    async () => {
      fetched = await fetchOne(reader, place, 0)
      return ready(fetched) && fetched.nextOffset >= fetched.stableOffset
    },
    () => fetched,
  )
  return fetched
}

/** Asks again until it is true; what throws meanwhile counts as not yet. */
async function until(condition: () => Promise<boolean>, seen: () => unknown = () => undefined): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    const met = await condition().catch((error: unknown) => error)
    if (met === true) return
    if (Date.now() > deadline) throw new Error(`Not in time: ${JSON.stringify(seen())}`, { cause: met })
    await sleep(20)
  }
}
