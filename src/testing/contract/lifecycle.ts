import assert from 'node:assert/strict'
import { isDuologError } from '../../core/errors.ts'
import { type ContractTest, collect, event, events, refused, upTo } from './contract-test.ts'

export const lifecycleTests: readonly ContractTest[] = [
  {
    name: 'P3 P4 what was acknowledged is there, unchanged, when the log is opened again',
    needs: ['reopen'],
    async run(t) {
      const stream = t.name()
      const first = await t.open()
      await first.appendToStream(stream, events(3), { idempotencyKey: 'k' })
      const before = await t.read(stream, first)
      await first.close()
      const second = await t.open()
      assert.deepEqual(await t.read(stream, second), before)
      const late = second.appendToStream(stream, [event()], { expectedStreamVersion: 2 })
      assert.equal((await refused(late, 'EXPECTED_VERSION_CONFLICT')).current, 3)
      const next = await second.appendToStream(stream, [event()], { expectedStreamVersion: 3 })
      assert.equal(next.currentStreamVersion, 4)
    },
  },
  {
    name: 'P4 close finishes what was accepted: every append is in the log or was refused',
    needs: ['reopen'],
    async run(t) {
      const store = await t.open()
      const streams = upTo(20).map((n) => t.name(`closing${n}`))
      const appending = streams.map((stream) => store.appendToStream(stream, [event()]))
      const settled = Promise.allSettled(appending)
      await t.within(store.close(), 'the store to close')
      const outcomes = await t.within(settled, 'the appends to be answered')
      for (const [index, outcome] of outcomes.entries()) {
        const found = (await t.read(streams[index]!)).length
        if (outcome.status === 'fulfilled') assert.equal(found, 1)
        else {
          assert.ok(isDuologError(outcome.reason, 'STORE_CLOSED'), String(outcome.reason))
          assert.equal(found, 0)
        }
      }
    },
  },
  {
    name: 'after close every call is refused with STORE_CLOSED, and closing again is fine',
    needs: ['second-store'],
    async run(t) {
      const store = await t.open()
      const stream = t.name()
      await Promise.all([store.close(), store.close()])
      await store.close()
      await refused(store.appendToStream(stream, [event()]), 'STORE_CLOSED')
      await refused(collect(store.readStream(stream)), 'STORE_CLOSED')
      await refused(collect(store.listStreams()), 'STORE_CLOSED')
      await refused(store.aggregateStream(stream, { initialState: () => 0, evolve: (n) => n }), 'STORE_CLOSED')
      await refused(store.waitForVersion(stream, 1), 'STORE_CLOSED')
      await refused(store.presence.announce('owner'), 'STORE_CLOSED')
      await refused(store.presence.liveness('owner'), 'STORE_CLOSED')
      const consume = async () => store.consume({ group: 'g', topics: ['session.events'], handler: async () => {} })
      await refused(consume(), 'STORE_CLOSED')
      assert.equal((await t.store.appendToStream(stream, [event()])).currentStreamVersion, 1)
    },
  },
  {
    name: 'close wakes those who wait and stops the consumers',
    needs: ['second-store'],
    async run(t) {
      const store = await t.open()
      const stream = t.name()
      const waiting = refused(store.waitForVersion(stream, 1), 'STORE_CLOSED')
      const consumer = await t.collect({ keys: stream, store })
      await t.within(store.close(), 'the store to close')
      await t.within(waiting, 'the waiting to hear of it')
      await t.within(consumer.ended, 'the consumer to say that it ended')
      await t.store.appendToStream(stream, [event()])
      const other = await t.collect({ keys: stream })
      await other.handled(1)
      assert.equal(consumer.seen.length, 0)
    },
  },
]
