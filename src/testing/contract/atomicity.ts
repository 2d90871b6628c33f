import assert from 'node:assert/strict'
import { isRecordedEvent } from '../../core/event.ts'
import { partitionOf } from '../../core/murmur2.ts'
import type { Checkpoint } from '../../store/event-store.ts'
import { defaultTopics } from '../../store/topics.ts'
import { type ContractTest, dataOf, event, events, refused, TASK_TOPIC, upTo } from './contract-test.ts'

export const atomicityTests: readonly ContractTest[] = [
  {
    name: 'P2 messages leave together with the events, with an envelope of their own',
    async run(t) {
      const stream = t.name('sends')
      const task = { topic: TASK_TOPIC, key: stream, type: 'Task', data: { n: 1 } }
      const causationId = t.name('cause')
      await t.store.appendToStream(stream, [event(1)], { outgoing: [task, { ...task, causationId, data: { n: 2 } }] })
      const [first, second] = await (await t.collect({ topics: [TASK_TOPIC], keys: stream })).handled(2)
      assert.ok(first && second && !isRecordedEvent(first))
      const { eventId, timestamp, offset, ...rest } = first
      assert.deepEqual(rest, {
        type: 'Task',
        data: { n: 1 },
        version: 1,
        correlationId: stream,
        headers: {},
        topic: TASK_TOPIC,
        partition: partitionOf(new TextEncoder().encode(stream), defaultTopics[TASK_TOPIC].partitions),
        key: stream,
      })
      assert.ok(eventId.length > 0 && timestamp.length > 0 && second.offset > offset)
      assert.deepEqual([second.data, second.causationId], [{ n: 2 }, causationId])
      assert.deepEqual(dataOf(await t.read(stream)), [{ n: 1 }])
    },
  },
  {
    name: 'P2 who received a message and reads its stream finds what it was appended with',
    async run(t) {
      const prefix = t.name('tells')
      const missed: string[] = []
      const told = await t.collect({
        topics: [TASK_TOPIC],
        keys: prefix,
        handle: async ({ key, data }) => {
          const { length } = await t.read(key)
          if (length < (data as { n: number }).n) missed.push(`${key} at ${length}`)
        },
      })
      const streams = upTo(20).map((n) => `${prefix}-${n}`)
      for (const n of upTo(3)) {
        const outgoing = (key: string) => [{ topic: TASK_TOPIC, key, type: 'Task', data: { n } }]
        await Promise.all(streams.map((key) => t.store.appendToStream(key, [event(n)], { outgoing: outgoing(key) })))
      }
      await told.handled(3 * streams.length)
      assert.deepEqual(missed, [])
    },
  },
  {
    name: 'P2 messages can leave without an event, under the version check all the same',
    async run(t) {
      const stream = t.name('sends')
      const outgoing = [{ topic: TASK_TOPIC, key: stream, type: 'Task', data: { n: 1 } }]
      await t.store.appendToStream(stream, events(2))
      const options = { outgoing, expectedStreamVersion: 1 }
      await refused(t.store.appendToStream(stream, [], options), 'EXPECTED_VERSION_CONFLICT')
      const appended = await t.store.appendToStream(stream, [], { outgoing, expectedStreamVersion: 2 })
      assert.deepEqual([appended.firstStreamPosition, appended.currentStreamVersion], [3, 2])
      const tasks = await t.collect({ topics: [TASK_TOPIC], keys: stream })
      assert.equal((await tasks.handled(1)).length, 1)
    },
  },
  {
    name: 'P2 an append refused for its version sends nothing and moves no checkpoint',
    async run(t) {
      const [stream, target] = [t.name('refused'), t.name('target')]
      const group = t.name('group')
      const outgoing = [{ topic: TASK_TOPIC, key: target, type: 'Task', data: {} }]
      await t.store.appendToStream(stream, [event(1)])
      let refusals = 0
      const first = await t.collect({
        group,
        keys: stream,
        onError: () => {},
        handle: async (_message, { checkpoint, signal }) => {
          const options = { expectedStreamVersion: 5, outgoing, checkpoint }
          await refused(t.store.appendToStream(target, [event(1)], options), 'EXPECTED_VERSION_CONFLICT')
          refusals++
          await aborted(signal)
        },
      })
      await t.eventually('the append was refused', () => refusals > 0)
      await first.stop()
      const second = await t.collect({ group, keys: stream })
      assert.deepEqual(dataOf(await second.handled(1)), [{ n: 1 }])
      assert.deepEqual(await t.read(target), [])
      await t.store.appendToStream(target, [], { outgoing: [{ ...outgoing[0]!, type: 'Last' }] })
      const tasks = await t.collect({ topics: [TASK_TOPIC], keys: target })
      assert.deepEqual(
        (await tasks.handled(1)).map(({ type }) => type),
        ['Last'],
      )
    },
  },
  {
    name: 'P2 an append with one bad message writes none of the good ones',
    async run(t) {
      const stream = t.name('half')
      const task = { topic: TASK_TOPIC, key: stream, type: 'Task', data: {} }
      const outgoing = [task, { ...task, data: 1n }]
      await refused(t.store.appendToStream(stream, [event()], { outgoing }), 'INVALID_EVENT')
      await refused(t.store.appendToStream(stream, [event(), { type: 'Bad', data: () => 1 }]), 'INVALID_EVENT')
      assert.deepEqual(await t.read(stream), [])
      await t.store.appendToStream(stream, [], { outgoing: [{ ...task, type: 'Last' }] })
      const tasks = await t.collect({ topics: [TASK_TOPIC], keys: stream })
      assert.deepEqual(
        (await tasks.handled(1)).map(({ type }) => type),
        ['Last'],
      )
    },
  },
  {
    name: 'P2 P6 a checkpoint carried by an append is committed with it: what was handled does not come again',
    async run(t) {
      const [stream, target] = [t.name('carried'), t.name('target')]
      const group = t.name('group')
      await t.store.appendToStream(stream, events(3))
      let carried = 0
      const first = await t.collect({
        group,
        keys: stream,
        onError: () => {},
        handle: async (message, { checkpoint, signal }) => {
          await t.store.appendToStream(target, [event((message.data as { n: number }).n)], { checkpoint })
          carried++
          // Handled only so far: nothing but the append can have moved the checkpoint.
          await aborted(signal)
        },
      })
      await t.eventually('an append carried the checkpoint', () => carried === 1)
      await first.stop()
      const second = await t.collect({ group, keys: stream })
      assert.deepEqual(dataOf(await second.handled(2)), [{ n: 2 }, { n: 3 }])
      assert.deepEqual(dataOf(await t.read(target)), [{ n: 1 }])
    },
  },
  {
    name: 'P6 an older checkpoint never moves a group back',
    async run(t) {
      const stream = t.name('back')
      const group = t.name('group')
      await t.store.appendToStream(stream, events(3))
      const checkpoints: Checkpoint[] = []
      const first = await t.collect({
        group,
        keys: stream,
        handle: async (_message, { checkpoint }) => void checkpoints.push(checkpoint),
      })
      await first.handled(3)
      await t.store.appendToStream(t.name(), [event()], { checkpoint: checkpoints[0]! })
      await first.stop()
      await t.store.appendToStream(stream, [event(4)])
      const second = await t.collect({ group, keys: stream })
      assert.deepEqual(dataOf(await second.handled(1)), [{ n: 4 }])
    },
  },
  {
    name: 'P2 P5 handlers that fail after their append repeat it under its key: every effect happens once',
    async run(t) {
      const [stream, target] = [t.name('effects'), t.name('target')]
      await t.store.appendToStream(stream, events(6))
      const failed = new Set<string>()
      const consumer = await t.collect({
        keys: stream,
        onError: () => {},
        handle: async (message) => {
          const effect = { type: 'Effect', data: message.data }
          await t.store.appendToStream(target, [effect], { idempotencyKey: message.eventId })
          if (failed.has(message.eventId)) return
          failed.add(message.eventId)
          throw new Error('after the append')
        },
      })
      await consumer.handled(6)
      assert.deepEqual(
        dataOf(await t.read(target)),
        upTo(6).map((n) => ({ n })),
      )
    },
  },
  {
    name: 'P6 P8 the checkpoint of a former owner is refused, and nothing of its append is written',
    needs: ['fenced-checkpoint'],
    async run(t) {
      const [stream, target] = [t.name('fenced'), t.name('target')]
      const group = t.name('group')
      await t.store.appendToStream(stream, events(2))
      const checkpoints: Checkpoint[] = []
      const first = await t.collect({
        group,
        keys: stream,
        handle: async (_message, { checkpoint }) => void checkpoints.push(checkpoint),
      })
      await first.handled(2)
      await first.stop()
      const second = await t.collect({ group, keys: stream })
      const outgoing = [{ topic: TASK_TOPIC, key: target, type: 'Task', data: {} }]
      const late = t.store.appendToStream(target, [event()], { checkpoint: checkpoints[0]!, outgoing })
      await refused(late, 'CHECKPOINT_FENCED')
      assert.deepEqual(await t.read(target), [])
      await t.store.appendToStream(stream, [event(3)])
      assert.deepEqual(dataOf(await second.handled(1)), [{ n: 3 }])
    },
  },
]

/** Rejects when the signal fires, as a handler does that gives up. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const giveUp = () => reject(new Error('given up'))
    if (signal.aborted) giveUp()
    signal.addEventListener('abort', giveUp)
  })
}
