import assert from 'node:assert/strict'
import type { PartitionPosition } from '../../store/event-store.ts'
import { type ContractContext, type ContractTest, DEFAULT_TOPIC, dataOf, event, events } from './contract-test.ts'

/*
 * Checkpoints that live beside the effect, outside the log: what projections stand on.
 */

export const ownCheckpointTests: readonly ContractTest[] = [
  {
    name: 'partitionEnds: what was appended before the call lies below the end of its partition',
    async run(t) {
      const stream = t.name('ends')
      await t.store.appendToStream(stream, events(3))
      const ends = await t.store.partitionEnds(DEFAULT_TOPIC)
      const last = (await t.read(stream))[2]
      const end = ends.find(({ partition }) => partition === last?.partition)
      assert.ok(last !== undefined && end !== undefined && end.offset > last.offset)
      assert.deepEqual(
        ends.map(({ topic, partition }) => `${topic}/${partition}`),
        ends.map((_, partition) => `${DEFAULT_TOPIC}/${partition}`),
      )
    },
  },
  {
    name: 'P6 a consumer with checkpoints of its own begins where they say, whatever its group did before',
    async run(t) {
      const stream = t.name('own')
      const group = t.name('group')
      await t.store.appendToStream(stream, events(3))
      const [, second] = await t.read(stream)
      const all = await t.collect({ keys: stream, group })
      await all.handled(3)
      await all.stop()
      const load = async (_: string, partition: number) => (partition === second?.partition ? second.offset : undefined)
      const own = await t.collect({ keys: stream, group, checkpoints: { load } })
      assert.deepEqual(dataOf(await own.handled(2)), [{ n: 2 }, { n: 3 }])
      await own.stop()
      const again = await t.collect({ keys: stream, group, checkpoints: { load } })
      assert.deepEqual(dataOf(await again.handled(2)), [{ n: 2 }, { n: 3 }])
    },
  },
  {
    name: 'caughtUp tells how far a consumer is, and gets to the end of every partition',
    async run(t) {
      const stream = t.name('caught-up')
      await t.store.appendToStream(stream, events(2))
      const reached = await followToEnd(t, stream)
      await t.store.appendToStream(stream, [event(3)])
      const ends = await t.store.partitionEnds(DEFAULT_TOPIC)
      await t.eventually('the consumer is at the end again', () => isAtEnd(reached, ends))
    },
  },
]

async function followToEnd(t: ContractContext, keys: string) {
  const reached = new Map<number, number>()
  const caughtUp = async ({ partition, offset }: PartitionPosition) => void reached.set(partition, offset)
  const consumer = await t.collect({ keys, checkpoints: { load: async () => undefined, caughtUp } })
  const ends = await t.store.partitionEnds(DEFAULT_TOPIC)
  await t.eventually('the consumer is at the end', () => isAtEnd(reached, ends))
  assert.equal(consumer.seen.length, 2)
  return reached
}

function isAtEnd(reached: ReadonlyMap<number, number>, ends: readonly PartitionPosition[]): boolean {
  return ends.every(({ partition, offset }) => (reached.get(partition) ?? -1) >= offset)
}
