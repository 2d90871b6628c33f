import assert from 'node:assert/strict'
import type { RecordedEvent } from '../../core/event.ts'
import type { EventStore } from '../../store/event-store.ts'
import { type SubscribeOptions, type Subscription, subscribe } from '../../store/subscribe.ts'
import { type ContractContext, type ContractTest, event, events, positions, refused, upTo } from './contract-test.ts'

/** Names in a category of their own, in several partitions. */
function names(t: ContractContext, count: number): { readonly category: string; readonly streams: readonly string[] } {
  const category = t.name('cat').replaceAll('-', '')
  return { category, streams: upTo(count).map((n) => `${category}-${n}`) }
}

/** Takes events until it has so many. */
async function take(t: ContractContext, live: Subscription, count: number): Promise<RecordedEvent[]> {
  const taken: RecordedEvent[] = []
  while (taken.length < count) {
    const { value, done } = await t.within(live.next(), `event ${taken.length + 1} of ${count} of a subscription`)
    if (done) assert.fail(`the subscription ended after ${taken.length} of ${count} events`)
    taken.push(value)
  }
  return taken
}

/** Subscribes, runs, and closes whatever happens. */
async function following<T>(
  store: EventStore,
  options: SubscribeOptions,
  run: (live: Subscription) => Promise<T>,
): Promise<T> {
  const live = subscribe(store, options)
  try {
    return await run(live)
  } finally {
    await live.close()
  }
}

/** The positions that came, by stream. */
function byStream(taken: readonly RecordedEvent[]): Record<string, number[]> {
  const found: Record<string, number[]> = {}
  for (const { stream, streamPosition } of taken) found[stream] = [...(found[stream] ?? []), streamPosition]
  return found
}

export const followingTests: readonly ContractTest[] = [
  {
    name: 'S1 S2 a subscription to a category has its history, then what comes, each event once and in order',
    async run(t) {
      const { category, streams } = names(t, 8)
      for (const stream of streams) await t.store.appendToStream(stream, events(3))
      await t.store.appendToStream(`${category}x-1`, events(2))
      await following(t.store, { category }, async (live) => {
        const history = await take(t, live, 24)
        for (const stream of streams) await t.store.appendToStream(stream, events(2))
        const all = [...history, ...(await take(t, live, 16))]
        assert.deepEqual(byStream(all), Object.fromEntries(streams.map((stream) => [stream, upTo(5)])))
      })
    },
  },
  {
    name: 'S1 a subscription misses nothing and repeats nothing while others append',
    async run(t) {
      const { category, streams } = names(t, 6)
      const appending = streams.map(async (stream) => {
        for (let n = 1; n <= 20; n++) await t.store.appendToStream(stream, [event(n)])
      })
      await following(t.store, { category }, async (live) => {
        const taken = await take(t, live, 120)
        assert.deepEqual(byStream(taken), Object.fromEntries(streams.map((stream) => [stream, upTo(20)])))
      })
      await Promise.all(appending)
    },
  },
  {
    name: 'a subscription to a stream, to types, to both',
    async run(t) {
      const { category, streams } = names(t, 2)
      const [one = '', two = ''] = streams
      const mixed = [event(1, 'Opened'), event(2, 'Counted'), event(3, 'Opened')]
      await t.store.appendToStream(one, mixed)
      await t.store.appendToStream(two, mixed)
      const seen = async (options: SubscribeOptions, count: number) =>
        following(t.store, options, async (live) => byStream(await take(t, live, count)))
      assert.deepEqual(await seen({ stream: one }, 3), { [one]: [1, 2, 3] })
      assert.deepEqual(await seen({ stream: two, types: ['Opened'] }, 2), { [two]: [1, 3] })
      assert.deepEqual(await seen({ category, types: ['Counted'] }, 2), { [one]: [2], [two]: [2] })
    },
  },
  {
    name: 'S3 a subscription resumes after the event that was handed out last',
    async run(t) {
      const { category, streams } = names(t, 5)
      for (const stream of streams) await t.store.appendToStream(stream, events(4))
      const first = await following(t.store, { category }, async (live) => {
        const taken = await take(t, live, 7)
        return { taken, cursor: live.cursor }
      })
      assert.match(String(first.cursor), /^\S+$/)
      const second = await following(t.store, { category, from: first.cursor }, (live) => take(t, live, 13))
      const all = byStream([...first.taken, ...second])
      assert.deepEqual(all, Object.fromEntries(streams.map((stream) => [stream, upTo(4)])))
    },
  },
  {
    name: 'S3 a subscription to one stream resumes, too',
    async run(t) {
      const stream = t.name()
      await t.store.appendToStream(stream, events(5))
      const cursor = await following(t.store, { stream }, async (live) => {
        await take(t, live, 2)
        return live.cursor
      })
      const rest = await following(t.store, { stream, from: cursor }, (live) => take(t, live, 3))
      assert.deepEqual(positions(rest), [3, 4, 5])
    },
  },
  {
    name: 'a subscription says when it has caught up, in the order of the events',
    async run(t) {
      for (const one of [false, true]) {
        const { category, streams } = names(t, 3)
        for (const stream of streams) await t.store.appendToStream(stream, events(2))
        const options = one ? { stream: streams[0] ?? '' } : { category }
        let caughtUp = 0
        await following(t.store, { ...options, onCaughtUp: () => caughtUp++ }, async (live) => {
          await take(t, live, one ? 2 : 6)
          const next = live.next()
          await t.eventually('it has caught up', () => live.caughtUp)
          await t.store.appendToStream(streams[0] ?? '', [event(3)])
          const { value } = await t.within(next, 'the event that came then')
          assert.equal(caughtUp, 1)
          assert.ok(value.streamPosition > 2)
        })
      }
    },
  },
  {
    name: "a subscription from 'end' hears only of what comes",
    async run(t) {
      const { category, streams } = names(t, 2)
      const [one = '', two = ''] = streams
      await t.store.appendToStream(one, events(2))
      await following(t.store, { category, from: 'end' }, async (live) => {
        const next = live.next()
        await t.eventually('it stands', () => live.caughtUp)
        await t.store.appendToStream(two, [event(1)])
        assert.equal((await t.within(next, 'the new event')).value.stream, two)
      })
    },
  },
  {
    name: 'a subscription hears of what another store on the log appends',
    needs: ['second-store'],
    async run(t) {
      const { category, streams } = names(t, 2)
      const other = await t.open()
      await following(other, { category }, async (live) => {
        const next = live.next()
        await t.eventually('it stands', () => live.caughtUp)
        await t.store.appendToStream(streams[1] ?? '', [event(1)])
        assert.equal((await t.within(next, 'the event of the other store')).value.stream, streams[1])
      })
    },
  },
  {
    name: 'a subscription that waits ends when its signal fires, when it is closed, when its store closes',
    async run(t) {
      const { category, streams } = names(t, 1)
      for (const options of [{ category }, { stream: streams[0] ?? '' }]) {
        const abort = new AbortController()
        const aborted = subscribe(t.store, { ...options, signal: abort.signal }).next()
        abort.abort()
        assert.equal((await t.within(aborted, 'an aborted subscription to end')).done, true)
        const closed = subscribe(t.store, options)
        const waiting = closed.next()
        await closed.close()
        assert.equal((await t.within(waiting, 'a closed subscription to end')).done, true)
        const other = await t.open()
        const live = subscribe(other, options)
        const last = live.next()
        await t.eventually('it stands', () => live.caughtUp)
        await other.close()
        assert.equal((await t.within(last, 'the subscription of a closed store to end')).done, true)
        await refused(subscribe(other, options).next(), 'STORE_CLOSED')
      }
    },
  },
  {
    name: 'S4 a subscription that is not iterated reads nothing, and one that is slow loses nothing',
    async run(t) {
      const { category, streams } = names(t, 2)
      await following(t.store, { category }, async (live) => {
        for (const stream of streams) await t.store.appendToStream(stream, events(700))
        const taken = await take(t, live, 10)
        for (const stream of streams) await t.store.appendToStream(stream, events(700))
        const rest = await take(t, live, 2790)
        assert.deepEqual(byStream([...taken, ...rest]), Object.fromEntries(streams.map((one) => [one, upTo(1400)])))
      })
    },
  },
  {
    name: 'a cursor that is not one, of another kind, or of another log is refused',
    async run(t) {
      const stream = t.name()
      const wrong = (options: SubscribeOptions, code: string) =>
        refused(
          Promise.resolve().then(() => subscribe(t.store, options).next()),
          code,
        )
      await wrong({ from: 'yesterday' }, 'INVALID_ARGUMENT')
      await wrong({ stream, from: `p:${t.store.eventTopic}:0.1` }, 'INVALID_ARGUMENT')
      await wrong({ from: 's:3' }, 'INVALID_ARGUMENT')
      await wrong({ from: 'p:other.topic:0.1' }, 'INVALID_ARGUMENT')
      await wrong({ from: `p:${t.store.eventTopic}:0.999999999` }, 'CHECKPOINT_AHEAD')
      await wrong({ stream, from: 's:3' }, 'CHECKPOINT_AHEAD')
      const beyond = [{ topic: t.store.eventTopic, partition: 0, offset: 999_999_999 }]
      await refused(t.store.followPartitions(beyond)[Symbol.asyncIterator]().next(), 'CHECKPOINT_AHEAD')
      await wrong({ category: 'a-b' }, 'INVALID_ARGUMENT')
      await wrong({ types: [] }, 'INVALID_ARGUMENT')
    },
  },
]
