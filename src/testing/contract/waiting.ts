import assert from 'node:assert/strict'
import type { EventStore } from '../../store/event-store.ts'
import { type ContractContext, type ContractTest, event, events, refused } from './contract-test.ts'

export const waitingTests: readonly ContractTest[] = [
  {
    name: 'waitForVersion resolves at once when the stream is there already',
    async run(t) {
      const stream = t.name()
      assert.equal(await t.within(t.store.waitForVersion(stream, 0), 'version 0'), 0)
      await t.store.appendToStream(stream, events(3))
      assert.equal(await t.within(t.store.waitForVersion(stream, 2), 'version 2'), 3)
    },
  },
  {
    name: 'waitForVersion wakes up when the version comes, not before',
    async run(t) {
      await wakeUp(t, t.store)
    },
  },
  {
    name: 'waitForVersion wakes up for what another store on the log appends',
    needs: ['second-store'],
    async run(t) {
      await wakeUp(t, await t.open())
    },
  },
  {
    name: 'waitForVersion gives up with ABORTED, before or while it waits',
    async run(t) {
      const stream = t.name()
      await refused(t.store.waitForVersion(stream, 1, { signal: AbortSignal.abort() }), 'ABORTED')
      const abort = new AbortController()
      const waiting = refused(t.store.waitForVersion(stream, 1, { signal: abort.signal }), 'ABORTED')
      abort.abort()
      await t.within(waiting, 'the wait to be given up')
      await t.store.appendToStream(stream, [event()])
      assert.equal(await t.store.waitForVersion(stream, 1), 1)
    },
  },
  {
    name: 'an owner that is announced is alive; withdrawn in all places it is dead',
    async run(t) {
      const owner = t.name('owner')
      assert.notEqual(await t.store.presence.liveness(owner), 'alive')
      const one = await t.store.presence.announce(owner)
      const two = await t.store.presence.announce(owner)
      await livenessBecomes(t, t.store, owner, 'alive')
      await one.withdraw()
      await one.withdraw()
      assert.equal(await t.store.presence.liveness(owner), 'alive')
      await two.withdraw()
      await livenessBecomes(t, t.store, owner, 'dead')
    },
  },
  {
    name: 'a store sees the owners of another one, and their death when that closes',
    needs: ['second-store', 'shared-presence'],
    async run(t) {
      const owner = t.name('owner')
      const other = await t.open()
      await other.presence.announce(owner)
      await livenessBecomes(t, t.store, owner, 'alive')
      await other.close()
      await livenessBecomes(t, t.store, owner, 'dead')
    },
  },
]

async function wakeUp(t: ContractContext, appender: EventStore): Promise<void> {
  const stream = t.name()
  let woken = 0
  const waiting = [2, 3, 3].map((version) => t.store.waitForVersion(stream, version).finally(() => woken++))
  await appender.appendToStream(stream, [event(1)])
  assert.equal(await t.store.waitForVersion(stream, 1), 1)
  assert.equal(woken, 0)
  await appender.appendToStream(stream, events(2))
  assert.deepEqual(await t.within(Promise.all(waiting), 'the waiting to wake up'), [3, 3, 3])
}

async function livenessBecomes(t: ContractContext, store: EventStore, owner: string, wanted: string): Promise<void> {
  await t.eventually(`the owner is ${wanted}`, async () => (await store.presence.liveness(owner)) === wanted)
}
