import assert from 'node:assert/strict'
import { isExpectedVersionConflict } from '../../core/errors.ts'
import type { EventStore } from '../../store/event-store.ts'
import {
  type ContractContext,
  type ContractTest,
  dataOf,
  event,
  events,
  positions,
  refused,
  upTo,
} from './contract-test.ts'

export const appendingTests: readonly ContractTest[] = [
  {
    name: 'P3 the answer tells where the events are',
    async run(t) {
      const stream = t.name()
      assert.deepEqual(await t.store.appendToStream(stream, events(2)), {
        stream,
        firstStreamPosition: 1,
        currentStreamVersion: 2,
        createdNewStream: true,
        repeated: false,
      })
      assert.deepEqual(await t.store.appendToStream(stream, [event(3)], { expectedStreamVersion: 2 }), {
        stream,
        firstStreamPosition: 3,
        currentStreamVersion: 3,
        createdNewStream: false,
        repeated: false,
      })
      assert.deepEqual(dataOf(await t.read(stream)), [{ n: 1 }, { n: 2 }, { n: 3 }])
    },
  },
  {
    name: 'an append of nothing writes nothing and tells the version',
    async run(t) {
      const stream = t.name()
      const none = await t.store.appendToStream(stream, [])
      assert.deepEqual([none.firstStreamPosition, none.currentStreamVersion, none.createdNewStream], [1, 0, false])
      await t.store.appendToStream(stream, events(2))
      const two = await t.store.appendToStream(stream, [])
      assert.deepEqual([two.firstStreamPosition, two.currentStreamVersion, two.createdNewStream], [3, 2, false])
      await refused(t.store.appendToStream(stream, [], { expectedStreamVersion: 1 }), 'EXPECTED_VERSION_CONFLICT')
    },
  },
  {
    name: 'P4 a conflict is refused with the true current version and writes nothing',
    async run(t) {
      const stream = t.name()
      await t.store.appendToStream(stream, events(3))
      for (const expected of [0, 1, 2, 4, 99, 'STREAM_DOES_NOT_EXIST'] as const) {
        const appending = t.store.appendToStream(stream, [event(9)], { expectedStreamVersion: expected })
        const error = await refused(appending, 'EXPECTED_VERSION_CONFLICT')
        assert.deepEqual([error.stream, error.expected, error.current], [stream, expected, 3])
        assert.equal(error.retry, 'now')
      }
      assert.deepEqual(dataOf(await t.read(stream)), [{ n: 1 }, { n: 2 }, { n: 3 }])
    },
  },
  {
    name: 'P3 after a conflict the stream is usable and the next answer has the right version',
    async run(t) {
      const stream = t.name()
      await t.store.appendToStream(stream, events(3))
      const late = t.store.appendToStream(stream, [event()], { expectedStreamVersion: 2 })
      await refused(late, 'EXPECTED_VERSION_CONFLICT')
      const next = await t.store.appendToStream(stream, [event(4)], { expectedStreamVersion: 3 })
      assert.deepEqual([next.firstStreamPosition, next.currentStreamVersion], [4, 4])
      const unchecked = await t.store.appendToStream(stream, [event(5)])
      assert.deepEqual([unchecked.firstStreamPosition, unchecked.currentStreamVersion], [5, 5])
      assert.deepEqual(positions(await t.read(stream)), upTo(5))
    },
  },
  {
    name: 'STREAM_EXISTS is refused for a stream that does not exist, with current 0',
    async run(t) {
      const stream = t.name()
      const options = { expectedStreamVersion: 'STREAM_EXISTS' } as const
      const error = await refused(t.store.appendToStream(stream, [event()], options), 'EXPECTED_VERSION_CONFLICT')
      assert.equal(error.current, 0)
      assert.deepEqual(await t.read(stream), [])
      await t.store.appendToStream(stream, [event()])
      assert.equal((await t.store.appendToStream(stream, [event()], options)).currentStreamVersion, 2)
    },
  },
  {
    name: 'STREAM_DOES_NOT_EXIST: of 20 racing creators exactly one wins, the others hear that the version is 1',
    async run(t) {
      await raceCreators(t, [t.store])
    },
  },
  {
    name: 'STREAM_DOES_NOT_EXIST holds across two stores on one log',
    needs: ['second-store'],
    async run(t) {
      await raceCreators(t, [t.store, await t.open()])
    },
  },
  {
    name: 'P4 of 50 concurrent appends the refused ones cost nobody else, and the others are in the log',
    async run(t) {
      const streams = upTo(50).map((n) => t.name(`neighbour${n}`))
      const outcomes = await Promise.allSettled(
        streams.map((stream, index) =>
          t.store.appendToStream(stream, [event(index)], { expectedStreamVersion: index % 5 === 0 ? 7 : 0 }),
        ),
      )
      for (const [index, outcome] of outcomes.entries()) {
        const recorded = dataOf(await t.read(streams[index]!))
        if (index % 5 !== 0) {
          assert.equal(outcome.status, 'fulfilled', `${index}`)
          assert.deepEqual(recorded, [{ n: index }])
        } else {
          assert.ok(outcome.status === 'rejected' && isExpectedVersionConflict(outcome.reason))
          assert.deepEqual(recorded, [])
        }
      }
    },
  },
  {
    name: 'P4 each of 50 concurrent appends is in the log when it is acknowledged, not a moment later',
    needs: ['second-store'],
    async run(t) {
      const other = await t.open()
      const appendThenLook = async (n: number) => {
        const stream = t.name(`durable${n}`)
        await t.store.appendToStream(stream, [event(n)])
        return { n, found: dataOf(await t.read(stream, other)) }
      }
      for (const { n, found } of await Promise.all(upTo(50).map(appendThenLook))) assert.deepEqual(found, [{ n }])
    },
  },
  {
    name: 'P3 concurrent appends to one stream leave no gap and no repeat, and every answer tells the truth',
    async run(t) {
      await raceAppends(t, [t.store])
    },
  },
  {
    name: 'P3 P4 two stores append to one stream at once: no gap, no repeat, no error',
    needs: ['second-store'],
    async run(t) {
      await raceAppends(t, [t.store, await t.open()])
    },
  },
  {
    name: 'P3 writers that load, decide and append again after a conflict all get through',
    needs: ['second-store'],
    async run(t) {
      const stream = t.name()
      const stores = [t.store, await t.open()]
      await t.within(
        Promise.all(upTo(8).map((n) => appendWithRetries(t, stores[n % 2]!, stream, 4))),
        'eight writers to get through',
      )
      const recorded = await t.read(stream)
      assert.deepEqual(positions(recorded), upTo(32))
      // What each decided on was true when it was appended.
      assert.deepEqual(
        dataOf(recorded),
        upTo(32).map((n) => ({ n })),
      )
    },
  },
]

async function raceCreators(t: ContractContext, stores: readonly EventStore[]): Promise<void> {
  const stream = t.name('created')
  const outcomes = await Promise.allSettled(
    upTo(20).map((n) =>
      stores[n % stores.length]!.appendToStream(stream, [event(n)], { expectedStreamVersion: 'STREAM_DOES_NOT_EXIST' }),
    ),
  )
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const outcome of outcomes) {
    if (outcome.status === 'fulfilled') assert.equal(outcome.value.createdNewStream, true)
    else {
      assert.ok(isExpectedVersionConflict(outcome.reason), String(outcome.reason))
      assert.equal(outcome.reason.current, 1)
    }
  }
  assert.equal((await t.read(stream)).length, 1)
}

async function raceAppends(t: ContractContext, stores: readonly EventStore[]): Promise<void> {
  const stream = t.name('raced')
  const answers = await t.within(
    Promise.all(
      upTo(60).map(async (n) => {
        const size = (n % 3) + 1
        const batch = upTo(size).map((part) => ({ type: 'Counted', data: { n, part } }))
        return { n, size, appended: await stores[n % stores.length]!.appendToStream(stream, batch) }
      }),
    ),
    '60 appends',
  )
  const recorded = await t.read(stream)
  assert.deepEqual(positions(recorded), upTo(120))
  assert.equal(answers.filter(({ appended }) => appended.createdNewStream).length, 1)
  for (const { n, size, appended } of answers) {
    assert.equal(appended.currentStreamVersion, appended.firstStreamPosition + size - 1)
    const own = recorded.slice(appended.firstStreamPosition - 1, appended.currentStreamVersion)
    assert.deepEqual(
      dataOf(own),
      upTo(size).map((part) => ({ n, part })),
    )
  }
}

async function appendWithRetries(t: ContractContext, store: EventStore, stream: string, times: number): Promise<void> {
  for (let done = 0; done < times; ) {
    const version = (await t.read(stream, store)).length
    try {
      await store.appendToStream(stream, [event(version + 1)], { expectedStreamVersion: version })
      done++
    } catch (error) {
      if (!isExpectedVersionConflict(error)) throw error
      assert.ok(error.current > version, `current ${error.current} is no later than the expected ${version}`)
    }
  }
}
