import assert from 'node:assert/strict'
import type { AppendOptions, EventStore } from '../../store/event-store.ts'
import {
  type ContractContext,
  type ContractTest,
  dataOf,
  event,
  events,
  positions,
  refused,
  TASK_TOPIC,
  upTo,
} from './contract-test.ts'

export const repeatingTests: readonly ContractTest[] = [
  {
    name: 'P5 the same idempotency key twice is one fact, and the second caller gets the first answer',
    async run(t) {
      await repeatByKey(t, t.store)
    },
  },
  {
    name: 'P5 the same idempotency key through another store on the same log',
    needs: ['second-store'],
    async run(t) {
      await repeatByKey(t, await t.open())
    },
  },
  {
    name: 'P5 ten callers with the same idempotency key at once: one fact, one answer',
    async run(t) {
      const stream = t.name()
      await t.store.appendToStream(stream, events(2))
      const append = (n: number) => t.store.appendToStream(stream, [event(n)], { idempotencyKey: 'once' })
      const answers = await Promise.all(upTo(10).map(append))
      assert.equal((await t.read(stream)).length, 3)
      assert.equal(answers.filter(({ repeated }) => !repeated).length, 1)
      for (const answer of answers) assert.deepEqual([answer.firstStreamPosition, answer.currentStreamVersion], [3, 3])
    },
  },
  {
    name: 'P5 the scope of an idempotency key is its stream, and it may have 256 characters of any kind',
    async run(t) {
      const [one, two] = [t.name(), t.name()]
      const idempotencyKey = `ключ/🦉 ${'k'.repeat(248)}`
      assert.equal(idempotencyKey.length, 256)
      assert.equal((await t.store.appendToStream(one, [event()], { idempotencyKey })).repeated, false)
      assert.equal((await t.store.appendToStream(two, [event()], { idempotencyKey })).repeated, false)
      assert.equal((await t.store.appendToStream(one, [event()], { idempotencyKey })).repeated, true)
    },
  },
  {
    name: 'P5 a refused append leaves its idempotency key free',
    async run(t) {
      const stream = t.name()
      const options: AppendOptions = { idempotencyKey: 'again', expectedStreamVersion: 'STREAM_EXISTS' }
      await refused(t.store.appendToStream(stream, [event(1)], options), 'EXPECTED_VERSION_CONFLICT')
      const appended = await t.store.appendToStream(stream, [event(2)], { idempotencyKey: 'again' })
      assert.equal(appended.repeated, false)
      assert.deepEqual(dataOf(await t.read(stream)), [{ n: 2 }])
    },
  },
  {
    name: 'P5 P2 a repeated append sends its messages once',
    async run(t) {
      const stream = t.name('repeated')
      const outgoing = [{ topic: TASK_TOPIC, key: stream, type: 'Task', data: {} }]
      const options = { idempotencyKey: 'task', outgoing }
      for (let n = 0; n < 3; n++) await t.store.appendToStream(stream, [event()], options)
      await t.store.appendToStream(stream, [], {
        outgoing: [{ topic: TASK_TOPIC, key: stream, type: 'Last', data: {} }],
      })
      const tasks = await t.collect({ topics: [TASK_TOPIC], keys: stream })
      const seen = await tasks.handled(2)
      assert.deepEqual(
        seen.map(({ type }) => type),
        ['Task', 'Last'],
      )
    },
  },
  {
    name: 'P5 the same event id appended twice is one event, and the second caller gets the first answer',
    async run(t) {
      const stream = t.name()
      const batch = events(3).map((one) => ({ ...one, eventId: t.name('id') }))
      const first = await t.store.appendToStream(stream, batch)
      await t.store.appendToStream(stream, [event(4)])
      const again = await t.store.appendToStream(stream, batch, { expectedStreamVersion: 0 })
      assert.deepEqual(again, { ...first, repeated: true })
      assert.deepEqual(positions(await t.read(stream)), upTo(4))
      const elsewhere = await t.store.appendToStream(t.name(), batch)
      assert.equal(elsewhere.repeated, false)
    },
  },
  {
    name: 'P5 ten callers with the same event id at once, through two stores: one event',
    needs: ['second-store'],
    async run(t) {
      const stream = t.name()
      const stores = [t.store, await t.open()]
      const eventId = t.name('id')
      const answers = await Promise.all(
        upTo(10).map((n) => stores[n % 2]!.appendToStream(stream, [{ ...event(1), eventId }])),
      )
      assert.equal((await t.read(stream)).length, 1)
      assert.equal(answers.filter(({ repeated }) => !repeated).length, 1)
      for (const { currentStreamVersion } of answers) assert.equal(currentStreamVersion, 1)
    },
  },
  {
    name: 'P5 P2 known and new event ids in one append are refused, and nothing is written',
    async run(t) {
      const stream = t.name()
      const [a, b, c] = upTo(3).map((n) => ({ ...event(n), eventId: t.name('id') }))
      await t.store.appendToStream(stream, [a!, b!])
      await refused(t.store.appendToStream(stream, [b!, c!]), 'EVENT_ID_REUSED')
      await refused(t.store.appendToStream(stream, [b!, a!]), 'EVENT_ID_REUSED')
      await refused(t.store.appendToStream(stream, [a!, event(9)]), 'EVENT_ID_REUSED')
      await refused(t.store.appendToStream(stream, [c!, c!]), 'EVENT_ID_REUSED')
      assert.deepEqual(dataOf(await t.read(stream)), [{ n: 1 }, { n: 2 }])
    },
  },
  {
    name: 'P5 keys and event ids are still known after the log was closed and opened again',
    needs: ['reopen'],
    async run(t) {
      const stream = t.name()
      const known = { ...event(1), eventId: t.name('id') }
      const first = await t.open()
      const byId = await first.appendToStream(stream, [known])
      const byKey = await first.appendToStream(stream, events(2), { idempotencyKey: 'kept' })
      await first.close()
      const second = await t.open()
      const options = { idempotencyKey: 'kept', expectedStreamVersion: 0 } as const
      assert.deepEqual(await second.appendToStream(stream, [event(9)], options), { ...byKey, repeated: true })
      assert.deepEqual(await second.appendToStream(stream, [known]), { ...byId, repeated: true })
      assert.equal((await t.read(stream, second)).length, 3)
    },
  },
]

async function repeatByKey(t: ContractContext, second: EventStore): Promise<void> {
  const stream = t.name()
  await t.store.appendToStream(stream, [event(1)])
  const first = await t.store.appendToStream(stream, events(2), { idempotencyKey: 'pay', expectedStreamVersion: 1 })
  await t.store.appendToStream(stream, [event(4)])
  // Whatever it brings and whatever it expects: it was answered before.
  const again = await second.appendToStream(stream, [event(99)], { idempotencyKey: 'pay', expectedStreamVersion: 1 })
  assert.deepEqual(again, { ...first, repeated: true })
  assert.deepEqual(dataOf(await t.read(stream)), [{ n: 1 }, { n: 1 }, { n: 2 }, { n: 4 }])
}
