import assert from 'node:assert/strict'
import { partitionOf } from '../../core/murmur2.ts'
import { defaultTopics } from '../../store/topics.ts'
import { type ContractTest, collect, DEFAULT_TOPIC, dataOf, event, events, positions, upTo } from './contract-test.ts'

const ODD_NAMES = [
  'a/b/c',
  'with spaces ',
  "'; DROP TABLE records; --",
  '%41%_*?',
  'Ünïcödé-日本語-🦉',
  '__proto__',
  'constructor',
  'UPPER',
  'upper',
  'e\u0301',
  '\u00e9',
]

export const readingTests: readonly ContractTest[] = [
  {
    name: 'a stream that does not exist is empty and has version 0',
    async run(t) {
      const stream = t.name()
      assert.deepEqual(await t.read(stream), [])
      const counted = await t.store.aggregateStream(stream, { initialState: () => 0, evolve: (count) => count + 1 })
      assert.deepEqual(counted, { state: 0, currentStreamVersion: 0, streamExists: false })
    },
  },
  {
    name: 'P2 an event comes back with a whole envelope, filled in where its writer said nothing',
    async run(t) {
      const stream = t.name()
      const before = Date.now()
      await t.store.appendToStream(stream, [event(7)])
      const [recorded] = await t.read(stream)
      assert.ok(recorded)
      const { eventId, timestamp, offset, globalPosition, ...rest } = recorded
      assert.deepEqual(rest, {
        type: 'Counted',
        data: { n: 7 },
        version: 1,
        correlationId: stream,
        headers: {},
        topic: DEFAULT_TOPIC,
        partition: partitionOf(new TextEncoder().encode(stream), defaultTopics[DEFAULT_TOPIC].partitions),
        key: stream,
        stream,
        streamPosition: 1,
      })
      assert.match(eventId, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      assert.equal(new Date(timestamp).toISOString(), timestamp)
      assert.ok(Date.parse(timestamp) >= before - 1 && Date.parse(timestamp) <= Date.now() + 1)
      assert.ok(Number.isSafeInteger(offset) && offset >= 0)
      assert.ok(Number.isSafeInteger(globalPosition) && globalPosition >= 0)
    },
  },
  {
    name: 'an envelope that its writer filled in is kept as it is',
    async run(t) {
      const stream = t.name()
      const envelope = {
        eventId: t.name('id'),
        version: 3,
        timestamp: '2020-02-29T12:34:56.789Z',
        correlationId: 'order-7',
        causationId: t.name('cause'),
        headers: { tenant: 'Müller & Söhne', empty: '' },
      }
      await t.store.appendToStream(stream, [{ ...event(1), ...envelope }])
      const [recorded] = await t.read(stream)
      assert.ok(recorded)
      const { eventId, version, timestamp, correlationId, causationId, headers } = recorded
      assert.deepEqual({ eventId, version, timestamp, correlationId, causationId, headers }, envelope)
    },
  },
  {
    name: 'from, to and maxCount bound a read; beyond the end there is nothing',
    async run(t) {
      const stream = t.name()
      await t.store.appendToStream(stream, events(10))
      const read = async (options: { from?: number; to?: number; maxCount?: number }) =>
        positions(await collect(t.store.readStream(stream, options)))
      assert.deepEqual(await read({}), upTo(10))
      assert.deepEqual(await read({ from: 8 }), [8, 9, 10])
      assert.deepEqual(await read({ to: 2 }), [1, 2])
      assert.deepEqual(await read({ from: 3, to: 5 }), [3, 4, 5])
      assert.deepEqual(await read({ from: 3, maxCount: 2 }), [3, 4])
      assert.deepEqual(await read({ from: 9, to: 99, maxCount: 99 }), [9, 10])
      assert.deepEqual(await read({ from: 11 }), [])
      assert.deepEqual(await read({ from: 5, to: 4 }), [])
      assert.deepEqual(await read({ maxCount: 0 }), [])
      assert.deepEqual(await read({ to: 0 }), [])
    },
  },
  {
    name: 'P3 a long stream comes back whole and in order',
    async run(t) {
      const stream = t.name()
      for (let batch = 0; batch < 5; batch++) await t.store.appendToStream(stream, events(500))
      const recorded = await t.read(stream)
      assert.deepEqual(positions(recorded), upTo(2500))
      assert.deepEqual(dataOf(recorded.slice(1998, 2001)), [{ n: 499 }, { n: 500 }, { n: 1 }])
    },
  },
  {
    name: 'a read that is broken off leaves the store usable',
    async run(t) {
      const stream = t.name()
      await t.store.appendToStream(stream, events(300))
      for await (const recorded of t.store.readStream(stream)) if (recorded.streamPosition === 2) break
      await t.store.appendToStream(stream, [event()], { expectedStreamVersion: 300 })
      assert.equal((await t.read(stream)).length, 301)
    },
  },
  {
    name: 'appends during a read neither disturb it nor are they disturbed',
    async run(t) {
      const stream = t.name()
      await t.store.appendToStream(stream, events(250))
      const seen: number[] = []
      for await (const recorded of t.store.readStream(stream)) {
        seen.push(recorded.streamPosition)
        if (recorded.streamPosition % 100 === 0) await t.store.appendToStream(stream, [event()])
      }
      assert.deepEqual(seen, upTo(seen.length))
      assert.ok(seen.length >= 250)
    },
  },
  {
    name: 'aggregateStream folds a stream, or its tail after a known state',
    async run(t) {
      const stream = t.name()
      await t.store.appendToStream(stream, events(4))
      const sum = {
        initialState: () => 0,
        evolve: (total: number, e: { data: unknown }) => total + (e.data as { n: number }).n,
      }
      const all = await t.store.aggregateStream(stream, sum)
      assert.deepEqual(all, { state: 10, currentStreamVersion: 4, streamExists: true })
      const tail = await t.store.aggregateStream(stream, { ...sum, from: { state: 100, version: 3 } })
      assert.deepEqual(tail, { state: 104, currentStreamVersion: 4, streamExists: true })
      const none = await t.store.aggregateStream(stream, { ...sum, from: { state: 5, version: 4 } })
      assert.deepEqual(none, { state: 5, currentStreamVersion: 4, streamExists: true })
    },
  },
  {
    name: 'data that is changed after the call is recorded as it was at the call',
    async run(t) {
      const stream = t.name()
      const data = { n: 1, list: [1] }
      const appending = t.store.appendToStream(stream, [{ type: 'Counted', data }])
      data.n = 2
      data.list.push(2)
      await appending
      assert.deepEqual(dataOf(await t.read(stream)), [{ n: 1, list: [1] }])
    },
  },
  {
    name: 'large, deep and odd values come back unchanged',
    async run(t) {
      const stream = t.name()
      const values: unknown[] = [
        'ä🦉\u2028\u0000\ud800"\\',
        { constructor: { deep: [[[[{}]]]] }, 'a.b': null, '': '' },
        [1e21, -1.5, 5e-324, Number.MAX_SAFE_INTEGER, 0],
        null,
        true,
        '',
        { big: 'x'.repeat(400_000) },
      ]
      await t.store.appendToStream(
        stream,
        values.map((data) => ({ type: 'Odd', data })),
      )
      assert.deepEqual(dataOf(await t.read(stream)), values)
    },
  },
  {
    name: 'odd stream names are names like any other, and none is taken for another',
    async run(t) {
      const suffix = t.name('odd')
      const names = [...ODD_NAMES.map((name) => name + suffix), 'x'.repeat(4096 - suffix.length) + suffix]
      for (const [index, name] of names.entries()) {
        const appended = await t.store.appendToStream(name, [event(index)], { expectedStreamVersion: 0 })
        assert.equal(appended.createdNewStream, true, name.slice(0, 40))
      }
      for (const [index, name] of names.entries()) assert.deepEqual(dataOf(await t.read(name)), [{ n: index }])
    },
  },
  {
    name: 'the longest name takes many events in one append, and large headers do too',
    async run(t) {
      const suffix = t.name('long')
      const name = 'x'.repeat(4096 - suffix.length) + suffix
      const many = Array.from({ length: 200 }, (_, n) => event(n))
      await t.store.appendToStream(name, many)
      assert.deepEqual(dataOf(await t.read(name)), dataOf(many))
      const headers = { large: 'h'.repeat(100_000) }
      const stream = t.name()
      await t.store.appendToStream(
        stream,
        many.slice(0, 12).map((one) => ({ ...one, headers })),
      )
      assert.deepEqual(
        (await t.read(stream)).map(({ headers: { large } }) => large?.length),
        Array(12).fill(100_000),
      )
    },
  },
  {
    name: 'listStreams names each stream with its version and the time of its last event',
    async run(t) {
      const [one, two] = [t.name('listed'), t.name('listed')]
      await t.store.appendToStream(one, events(2))
      await t.store.appendToStream(two, [{ ...event(), timestamp: '2021-01-01T00:00:00.000Z' }])
      const listed = await t.within(collect(t.store.listStreams()), 'the streams to be listed')
      const last = (await t.read(one))[1]?.timestamp
      assert.deepEqual(
        listed.filter(({ stream }) => stream === one),
        [{ stream: one, currentStreamVersion: 2, lastEventAt: last }],
      )
      assert.deepEqual(
        listed.filter(({ stream }) => stream === two),
        [{ stream: two, currentStreamVersion: 1, lastEventAt: '2021-01-01T00:00:00.000Z' }],
      )
    },
  },
  {
    name: 'an eventual read is a beginning of the stream, and gets to its end without being told to',
    needs: ['second-store'],
    async run(t) {
      const other = await t.open()
      const stream = t.name()
      const count = async () => {
        const seen = positions(await collect(other.readStream(stream, { consistency: 'eventual' })))
        assert.deepEqual(seen, upTo(seen.length))
        return seen.length
      }
      await t.store.appendToStream(stream, events(3))
      assert.equal(await count(), 3, 'the first read of all knows what was there')
      for (let n = 4; n <= 6; n++) await t.store.appendToStream(stream, [event(n)])
      await t.eventually('an eventual read saw all', async () => (await count()) === 6)
      const counter = { initialState: () => 0, evolve: (n: number) => n + 1, consistency: 'eventual' } as const
      assert.equal((await other.aggregateStream(stream, counter)).state, 6)
      assert.deepEqual(positions(await t.read(stream, other)), upTo(6))
    },
  },
  {
    name: 'P4 an acknowledged append is seen at once by another store on the same log',
    needs: ['second-store'],
    async run(t) {
      const other = await t.open()
      const stream = t.name()
      for (let n = 1; n <= 5; n++) {
        await t.store.appendToStream(stream, [event(n)])
        assert.deepEqual(positions(await t.read(stream, other)), upTo(n))
      }
      const listed = await t.within(collect(other.listStreams()), 'the streams to be listed')
      assert.equal(listed.find((info) => info.stream === stream)?.currentStreamVersion, 5)
    },
  },
]
