import assert from 'node:assert/strict'
import { isRecordedEvent } from '../../core/event.ts'
import {
  type ContractContext,
  type ContractTest,
  DEFAULT_TOPIC,
  dataOf,
  event,
  events,
  type Message,
  refused,
  TASK_TOPIC,
  upTo,
} from './contract-test.ts'

export const consumingTests: readonly ContractTest[] = [
  {
    name: 'a group gets every event of every partition, in order per stream, as it stands in its stream',
    async run(t) {
      const prefix = t.name('all')
      await appendRound(t, prefix, 12, 1)
      const consumer = await t.collect({ keys: prefix })
      await consumer.handled(12)
      await appendRound(t, prefix, 12, 2)
      const seen = await consumer.handled(24)
      assert.equal(seen.length, 24)
      for (const key of keysOf(prefix, 12)) {
        const own = seen.filter((message) => message.key === key)
        assert.deepEqual(
          own.map(({ data }) => data),
          [{ n: 1 }, { n: 2 }],
        )
        assert.deepEqual(own, await t.read(key))
        assert.ok(own.every(isRecordedEvent))
      }
      assert.ok(new Set(seen.map(({ partition }) => partition)).size > 1)
    },
  },
  {
    name: 'one handler call at a time per partition, while partitions go on side by side',
    async run(t) {
      const prefix = t.name('serial')
      const running = new Map<number, number>()
      let overlapped = 0
      let together = 0
      const consumer = await t.collect({
        keys: prefix,
        handle: async ({ partition }) => {
          running.set(partition, (running.get(partition) ?? 0) + 1)
          if (running.get(partition)! > 1) overlapped++
          const others = () => [...running.values()].filter((count) => count > 0).length > 1
          await t.eventually('another partition is handled too', () => together > 0 || others())
          if (others()) together++
          running.set(partition, running.get(partition)! - 1)
        },
      })
      await appendRound(t, prefix, 24, 1)
      await consumer.handled(24)
      assert.equal(overlapped, 0)
      assert.ok(together > 0)
    },
  },
  {
    name: 'two groups each get everything',
    async run(t) {
      const stream = t.name('both')
      const [one, two] = [await t.collect({ keys: stream }), await t.collect({ keys: stream })]
      await t.store.appendToStream(stream, events(3))
      assert.deepEqual(dataOf(await one.handled(3)), dataOf(await two.handled(3)))
    },
  },
  {
    name: 'two members of a group share its partitions: each message is handled by one of them',
    async run(t) {
      await shareAGroup(t, t.store)
    },
  },
  {
    name: 'members in two stores on one log share a group',
    needs: ['second-store'],
    async run(t) {
      await shareAGroup(t, await t.open())
    },
  },
  {
    name: 'when a member leaves, the other goes on with its partitions, without a loss or a repeat',
    async run(t) {
      const prefix = t.name('leave')
      const group = t.name('group')
      const one = await t.collect({ keys: prefix, group })
      const two = await t.collect({ keys: prefix, group })
      await appendRound(t, prefix, 12, 1)
      await t.eventually('the first round was handled', () => one.seen.length + two.seen.length >= 12)
      await one.stop()
      await appendRound(t, prefix, 12, 2)
      await t.eventually('the second round was handled', () => one.seen.length + two.seen.length >= 24)
      const ids = [...one.seen, ...two.seen].map(({ eventId }) => eventId)
      assert.equal(new Set(ids).size, 24)
      assert.equal(ids.length, 24)
      for (const key of keysOf(prefix, 12)) {
        assert.ok(two.seen.some((message) => message.key === key && (message.data as { n: number }).n === 2))
      }
    },
  },
  {
    name: 'P6 a message whose handler failed comes again, before any later one of its partition',
    async run(t) {
      const stream = t.name('again')
      const errors: { readonly message: string; readonly id: string | undefined; readonly attempt: number }[] = []
      const calls: unknown[] = []
      const consumer = await t.collect({
        keys: stream,
        onError: (error, message, attempt) => {
          errors.push({ message: (error as Error).message, id: message?.eventId, attempt })
          throw new Error('a listener that throws must not stop the consumer')
        },
        handle: async ({ data }) => {
          calls.push(data)
          if (calls.length === 2 || calls.length === 3) throw new Error(`call ${calls.length}`)
        },
      })
      await t.store.appendToStream(stream, events(3))
      const seen = await consumer.handled(3)
      assert.deepEqual(calls, [{ n: 1 }, { n: 2 }, { n: 2 }, { n: 2 }, { n: 3 }])
      const id = seen[1]?.eventId
      assert.deepEqual(errors, [
        { message: 'call 2', id, attempt: 1 },
        { message: 'call 3', id, attempt: 2 },
      ])
    },
  },
  {
    name: 'P6 a group goes on where it stopped',
    async run(t) {
      const stream = t.name('resume')
      const group = t.name('group')
      await t.store.appendToStream(stream, events(2))
      const first = await t.collect({ keys: stream, group })
      await first.handled(2)
      await first.stop()
      await t.store.appendToStream(stream, [event(3)])
      const second = await t.collect({ keys: stream, group })
      assert.deepEqual(dataOf(await second.handled(1)), [{ n: 3 }])
    },
  },
  {
    name: 'select: only what is wanted is handed out; the checkpoint moves past the others, and waits before what is not done',
    async run(t) {
      const stream = t.name('select')
      const group = t.name('group')
      const errors: string[] = []
      const select = ({ key, data }: { readonly key: string; readonly data: unknown }) => {
        if (key !== stream) return false
        const { n } = data as { readonly n: number }
        if (n === 4) throw new Error('cannot tell')
        return n % 2 === 1
      }
      const options = {
        keys: stream,
        group,
        select,
        maxInFlight: 10,
        onError: (error: unknown) => void errors.push(String(error)),
      }
      let goOn = () => {}
      const three = new Promise<void>((resolve) => {
        goOn = resolve
      })
      const first = await t.collect({
        ...options,
        handle: async ({ data }) => ((data as { n: number }).n === 3 ? three : undefined),
      })
      await t.store.appendToStream(stream, events(6))
      const handled = await first.handled(3)
      assert.deepEqual(dataOf(handled), [{ n: 1 }, { n: 4 }, { n: 5 }])
      assert.deepEqual(errors, ['Error: cannot tell'])
      goOn()
      await first.handled(4)
      await first.stop()
      const second = await t.collect({ keys: stream, group })
      await t.store.appendToStream(stream, [event(7)])
      assert.deepEqual(dataOf(await second.handled(1)), [{ n: 7 }])
    },
  },
  {
    name: 'select, one message at a time: what is passed over takes no room',
    async run(t) {
      const stream = t.name('select-one')
      // Before the consumer begins: it finds what is wanted and what is not in one batch.
      await t.store.appendToStream(stream, events(6))
      const select = ({ key, data }: { readonly key: string; readonly data: unknown }) =>
        key === stream && (data as { readonly n: number }).n % 2 === 0
      const consumer = await t.collect({ keys: stream, select })
      assert.deepEqual(dataOf(await consumer.handled(3)), [{ n: 2 }, { n: 4 }, { n: 6 }])
    },
  },
  {
    name: 'P6 a message whose handler gave up at the stop comes to the next consumer',
    async run(t) {
      const stream = t.name('giveup')
      const group = t.name('group')
      await t.store.appendToStream(stream, events(2))
      let begun = false
      const errors: unknown[] = []
      const first = await t.collect({
        keys: stream,
        group,
        onError: (error) => errors.push(error),
        handle: async (_message, { signal }) => {
          begun = true
          await t.eventually('the signal fires', () => signal.aborted)
          throw new Error('given up')
        },
      })
      await t.eventually('the handler runs', () => begun)
      await first.stop()
      assert.deepEqual(errors, [])
      const second = await t.collect({ keys: stream, group })
      assert.deepEqual(dataOf(await second.handled(2)), [{ n: 1 }, { n: 2 }])
    },
  },
  {
    name: 'stop fires the signal, waits for the running handler, and calls none after it',
    async run(t) {
      const stream = t.name('stop')
      await t.store.appendToStream(stream, events(5))
      const steps: string[] = []
      const consumer = await t.collect({
        keys: stream,
        handle: async (_message, { signal }) => {
          steps.push('begun')
          await t.eventually('the signal fires', () => signal.aborted)
          steps.push('ended')
        },
      })
      await t.eventually('the handler runs', () => steps.length === 1)
      await Promise.all([consumer.stop(), consumer.stop()])
      assert.deepEqual(steps, ['begun', 'ended'])
      await t.store.appendToStream(stream, [event()])
      const other = await t.collect({ keys: stream })
      await other.handled(6)
      assert.deepEqual(steps, ['begun', 'ended'])
    },
  },
  {
    name: "from: 'end' sees only what comes later, and its beginning is kept for the group",
    async run(t) {
      const stream = t.name('end')
      const group = t.name('group')
      await t.store.appendToStream(stream, events(2))
      const first = await t.collect({ keys: stream, group, from: 'end' })
      await first.stop()
      await t.store.appendToStream(stream, [event(3)])
      const second = await t.collect({ keys: stream, group, from: 'end' })
      await t.store.appendToStream(stream, [event(4)])
      assert.deepEqual(dataOf(await second.handled(2)), [{ n: 3 }, { n: 4 }])
    },
  },
  {
    name: 'one consumer reads several topics; messages that are no events are told apart',
    async run(t) {
      const stream = t.name('topics')
      const consumer = await t.collect({ topics: ['session.events', TASK_TOPIC, 'quality.gates'], keys: stream })
      const outgoing = [TASK_TOPIC, 'quality.gates'].map((topic) => ({
        topic,
        key: stream,
        type: 'Task',
        data: { topic },
      }))
      await t.store.appendToStream(stream, [event()], { outgoing })
      const seen = await consumer.handled(3)
      const kinds = seen.map((message) => [message.topic, isRecordedEvent(message)])
      assert.deepEqual(kinds.sort(), [
        ['agent.tasks.worker', false],
        ['quality.gates', false],
        ['session.events', true],
      ])
    },
  },
  {
    name: 'P6 the checkpoint outlives the store',
    needs: ['reopen'],
    async run(t) {
      const stream = t.name('outlive')
      const group = t.name('group')
      const first = await t.open()
      await first.appendToStream(stream, events(3))
      const before = await t.collect({ keys: stream, group, store: first })
      await before.handled(3)
      await first.close()
      const second = await t.open()
      await second.appendToStream(stream, [event(4)])
      const after = await t.collect({ keys: stream, group, store: second })
      assert.deepEqual(dataOf(await after.handled(1)), [{ n: 4 }])
    },
  },
  {
    name: 'a checkpoint behind the end of the log ends its consumer, which says so once and handles nothing',
    async run(t) {
      const stream = t.name('ahead')
      const group = t.name('group')
      await t.store.appendToStream(stream, [event()])
      const [{ partition, offset } = assert.fail('no event')] = await t.read(stream)
      const checkpoint = { group, topic: DEFAULT_TOPIC, partition, offset: offset + 1000 }
      await t.store.appendToStream(stream, [], { checkpoint })
      const errors: unknown[] = []
      const consumer = await t.collect({ keys: stream, group, onError: (error) => void errors.push(error) })
      const failure = await t.within(consumer.ended, 'the consumer to end')
      assert.equal(failure?.code, 'CHECKPOINT_AHEAD')
      assert.match(
        failure.message,
        new RegExp(`"${group}" is at ${offset + 1000} of partition ${partition} .* ends at`),
      )
      assert.deepEqual(errors, [failure])
      assert.deepEqual(consumer.seen, [])
      const anew = await t.collect({ keys: stream })
      assert.deepEqual(dataOf(await anew.handled(1)), [{ n: 1 }])
    },
  },
  {
    name: 'bad options are refused at once',
    async run(t) {
      const handler = async () => {}
      const consume = async (options: object) => {
        const consumer = t.store.consume({ group: 'g', topics: ['session.events'], handler, ...options })
        await consumer.stop()
      }
      await refused(consume({ group: '' }), 'INVALID_ARGUMENT')
      await refused(consume({ topics: [] }), 'INVALID_ARGUMENT')
      await refused(consume({ topics: ['no such name!'] }), 'INVALID_ARGUMENT')
      await refused(consume({ from: 'middle' }), 'INVALID_ARGUMENT')
      await refused(consume({ handler: 'text' }), 'INVALID_ARGUMENT')
      await refused(consume({ select: 'Paid' }), 'INVALID_ARGUMENT')
    },
  },
]

function keysOf(prefix: string, count: number): string[] {
  return upTo(count).map((n) => `${prefix}/${n}`)
}

/** One event to each of `count` streams, at once. */
async function appendRound(t: ContractContext, prefix: string, count: number, n: number): Promise<void> {
  await Promise.all(keysOf(prefix, count).map((key) => t.store.appendToStream(key, [event(n)])))
}

async function shareAGroup(t: ContractContext, secondStore: ContractContext['store']): Promise<void> {
  const prefix = t.name('shared')
  const group = t.name('group')
  const one = await t.collect({ keys: prefix, group })
  const two = await t.collect({ keys: prefix, group, store: secondStore })
  await appendRound(t, prefix, 24, 1)
  await appendRound(t, prefix, 24, 2)
  await t.eventually('all was handled', () => one.seen.length + two.seen.length >= 48)
  const both: Message[] = [...one.seen, ...two.seen]
  assert.equal(new Set(both.map(({ eventId }) => eventId)).size, 48)
  assert.equal(both.length, 48)
  assert.ok(one.seen.length > 0 && two.seen.length > 0, 'both members have partitions')
  const partitions = new Set(one.seen.map(({ partition }) => partition))
  assert.ok(two.seen.every(({ partition }) => !partitions.has(partition)))
}
