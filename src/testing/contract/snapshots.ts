import assert from 'node:assert/strict'
import type { AnyEvent } from '../../core/event.ts'
import type { AggregateOptions, EventStore } from '../../store/event-store.ts'
import type { SnapshotOptions } from '../../store/snapshot-store.ts'
import { type ContractContext, type ContractTest, events } from './contract-test.ts'

interface Sum {
  readonly count: number
  readonly sum: number
}

type Counted = AnyEvent & { readonly data: { readonly n: number } }

/** A fold that counts its steps. */
function summing(snapshot: SnapshotOptions<Sum>) {
  const steps = { count: 0 }
  const options: AggregateOptions<Sum, Counted> = {
    initialState: () => ({ count: 0, sum: 0 }),
    evolve: ({ count, sum }, { data }) => {
      steps.count++
      return { count: count + 1, sum: sum + data.n }
    },
    snapshot,
  }
  return { steps, options }
}

async function fold(t: ContractContext, stream: string, snapshot: SnapshotOptions<Sum>, store: EventStore = t.store) {
  const { steps, options } = summing(snapshot)
  const folded = await store.aggregateStream(stream, options)
  await store.snapshots.idle()
  return { ...folded, steps: steps.count }
}

export const snapshotTests: readonly ContractTest[] = [
  {
    name: 'a fold leaves a snapshot behind, and the next one begins there',
    async run(t) {
      const stream = t.name()
      const kind = { name: t.name('sum'), version: 1, every: 50 }
      await t.store.appendToStream(stream, events(60))
      assert.equal((await fold(t, stream, kind)).steps, 60)
      await t.store.appendToStream(stream, events(3))
      const again = await fold(t, stream, kind)
      assert.deepEqual(again.state, { count: 63, sum: 1830 + 6 })
      assert.deepEqual([again.currentStreamVersion, again.streamExists, again.steps], [63, true, 3])
      assert.equal((await fold(t, stream, kind)).steps, 3)
    },
  },
  {
    name: 'another store on the log uses it, too',
    needs: ['second-store'],
    async run(t) {
      const stream = t.name()
      const kind = { name: t.name('sum'), version: 1, every: 10 }
      await t.store.appendToStream(stream, events(20))
      await fold(t, stream, kind)
      const folded = await fold(t, stream, kind, await t.open())
      assert.deepEqual([folded.state, folded.steps], [{ count: 20, sum: 210 }, 0])
    },
  },
  {
    name: 'a snapshot of another version or kind is not used, and replaced',
    async run(t) {
      const stream = t.name()
      const kind = { name: t.name('sum'), version: 1, every: 10 }
      await t.store.appendToStream(stream, events(20))
      await fold(t, stream, kind)
      assert.equal((await fold(t, stream, { ...kind, name: t.name('other') })).steps, 20)
      const newer = { ...kind, version: 2 }
      assert.equal((await fold(t, stream, newer)).steps, 20)
      assert.equal((await fold(t, stream, newer)).steps, 0)
      assert.equal((await fold(t, stream, kind)).steps, 20)
    },
  },
  {
    name: 'N3 a snapshot that is ahead of the stream, or of another log, is not used',
    async run(t) {
      const stream = t.name()
      const kind = { name: t.name('sum'), version: 1, every: 100 }
      await t.store.appendToStream(stream, events(4))
      const wrong = { version: 1, writtenAtMs: 0, state: { count: 9, sum: 9 } }
      for (const place of [
        { streamPosition: 9, eventId: 'unborn' },
        { streamPosition: 3, eventId: 'of another log' },
      ]) {
        t.store.snapshots.save(kind.name, stream, { ...wrong, ...place })
        await t.store.snapshots.idle()
        const folded = await fold(t, stream, kind)
        assert.deepEqual([folded.state, folded.currentStreamVersion], [{ count: 4, sum: 10 }, 4])
      }
    },
  },
  {
    name: 'N1 all snapshots can be deleted at any time',
    async run(t) {
      const stream = t.name()
      const kind = { name: t.name('sum'), version: 1, every: 5 }
      await t.store.appendToStream(stream, events(12))
      await fold(t, stream, kind)
      await t.store.snapshots.clear()
      const folded = await fold(t, stream, kind)
      assert.deepEqual([folded.state, folded.steps], [{ count: 12, sum: 78 }, 12])
      assert.equal((await fold(t, stream, kind)).steps, 0)
    },
  },
  {
    name: 'a stream that does not exist has no snapshot',
    async run(t) {
      const folded = await fold(t, t.name(), { name: t.name('sum'), version: 1, every: 1 })
      assert.deepEqual(
        [folded.state, folded.currentStreamVersion, folded.streamExists],
        [{ count: 0, sum: 0 }, 0, false],
      )
    },
  },
]
