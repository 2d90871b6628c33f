import assert from 'node:assert/strict'
import { isDuologError } from '../core/errors.ts'
import type { ViewBuild, ViewChange, ViewStore } from '../processing/view-store.ts'
import type { ContractRunner } from './store-contract.ts'

/*
 * The contract of a view store: rows and checkpoints of projections. Cites V1–V3 of processing/view-store.ts.
 */

/** A place for views under test. */
export interface ViewsUnderTest {
  /** Opens the views; called more than once where they can be shared. */
  open(): Promise<ViewStore>
  /** After the test: removes files, tables, whatever there is. */
  remove?(): Promise<void>
}

/** Options of {@link viewStoreContract}. */
export interface ViewStoreContractOptions {
  /** Shown as the name of the suite. */
  readonly name: string
  /** Of your test runner. */
  readonly runner: ContractRunner
  /** Makes a new, empty place for views; called for each test. */
  readonly createViews: () => Promise<ViewsUnderTest>
  /** Views outlive their store, and two stores can be open on them. Default true. */
  readonly shared?: boolean
}

interface ViewTest {
  readonly name: string
  readonly needsShared?: boolean
  run(views: ViewStore, openAnother: () => Promise<ViewStore>): Promise<void>
}

const change = (from: number | undefined, to: number, rows: readonly [string, unknown][] = []): ViewChange => {
  return { topic: 't', partition: 0, from, to, rows: () => new Map(rows) }
}

const checkpointsOf = async (views: ViewStore, build: ViewBuild) =>
  [...(await views.checkpoints(build))].sort((a, b) => a.partition - b.partition)

const keysOf = async (views: ViewStore, build: ViewBuild, options = {}) =>
  (await views.list(build, options)).map(({ key }) => key)

const refused = (promise: Promise<unknown>) =>
  assert.rejects(promise, (error) => isDuologError(error, 'CHECKPOINT_FENCED'))

const VIEW_TESTS: readonly ViewTest[] = [
  {
    name: 'V1 rows and checkpoint change together',
    async run(views) {
      const build = await views.openLive('v', 1)
      assert.deepEqual(await checkpointsOf(views, build), [])
      await views.apply(build, change(undefined, 5, [['a', { n: 1 }]]))
      const grow: ViewChange = { ...change(5, 6), rows: (read) => new Map([['a', { was: read('a') }]]) }
      await views.apply(build, grow)
      assert.deepEqual(await views.get(build, 'a'), { was: { n: 1 } })
      await views.apply(build, change(6, 9, [['a', undefined]]))
      assert.equal(await views.get(build, 'a'), undefined)
      await views.apply(build, { ...change(undefined, 3), partition: 1 })
      assert.deepEqual(await checkpointsOf(views, build), [
        { topic: 't', partition: 0, offset: 9 },
        { topic: 't', partition: 1, offset: 3 },
      ])
    },
  },
  {
    name: 'V1 what throws while it is computed changes nothing',
    async run(views) {
      const build = await views.openLive('v', 1)
      await views.apply(build, change(undefined, 5, [['a', 1]]))
      const rows = () => {
        throw new RangeError('no')
      }
      await assert.rejects(views.apply(build, { ...change(5, 9), rows }), RangeError)
      assert.equal(await views.get(build, 'a'), 1)
      assert.deepEqual(await checkpointsOf(views, build), [{ topic: 't', partition: 0, offset: 5 }])
      await views.apply(build, change(5, 9, [['a', 2]]))
      assert.equal(await views.get(build, 'a'), 2)
    },
  },
  {
    name: 'V2 a change that does not begin at the stored checkpoint is refused',
    async run(views) {
      const build = await views.openLive('v', 1)
      await refused(views.apply(build, change(0, 5, [['a', 1]])))
      await views.apply(build, change(undefined, 5, [['a', 1]]))
      for (const from of [undefined, 4, 6]) await refused(views.apply(build, change(from, 9, [['a', 2]])))
      assert.equal(await views.get(build, 'a'), 1)
    },
  },
  {
    name: 'V1 V2 of changes applied at the same time each is judged alone',
    async run(views) {
      const build = await views.openLive('v', 1)
      const rows = () => {
        throw new RangeError('no')
      }
      const apart = (partition: number, key: string, from?: number) => ({ ...change(from, 5, [[key, 1]]), partition })
      const results = await Promise.allSettled([
        views.apply(build, apart(0, 'a')),
        views.apply(build, { ...apart(1, 'b'), rows }),
        views.apply(build, apart(2, 'c', 4)),
        views.apply(build, apart(0, 'd')),
        views.apply(build, apart(3, 'e')),
      ])
      assert.deepEqual(
        results.map(({ status }) => status),
        ['fulfilled', 'rejected', 'rejected', 'rejected', 'fulfilled'],
      )
      assert.deepEqual(await keysOf(views, build), ['a', 'e'])
      assert.deepEqual(await checkpointsOf(views, build), [
        { topic: 't', partition: 0, offset: 5 },
        { topic: 't', partition: 3, offset: 5 },
      ])
    },
  },
  {
    name: 'V3 one live build for each name; another is built beside it and takes its place',
    async run(views) {
      const live = await views.openLive('v', 1)
      assert.deepEqual(await views.openLive('v', 2), live)
      await views.apply(live, change(undefined, 5, [['a', 'old']]))
      const next = await views.createBuild('v', 2)
      assert.ok(next.generation > live.generation)
      assert.deepEqual(await views.unfinished('v', 2), next)
      const third = await views.createBuild('v', 2)
      for (const build of [live, next, third]) assert.equal(await views.exists(build), true)
      assert.equal(await views.unfinished('v', 3), undefined)
      await views.apply(next, change(undefined, 4, [['a', 'new']]))
      assert.equal(await views.promote(next), false, 'it is behind the live one')
      assert.deepEqual(await views.live('v'), live)
      await views.apply(next, change(4, 5))
      assert.equal(await views.promote(next), true)
      assert.deepEqual(await views.live('v'), next)
      assert.equal(await views.get(next, 'a'), 'new')
      assert.equal(await views.unfinished('v', 2), undefined)
      const still = await Promise.all([live, next, third].map((build) => views.exists(build)))
      assert.deepEqual(still, [false, true, false])
      await refused(views.apply(live, change(5, 6)))
      assert.equal(await views.get(live, 'a'), undefined)
      assert.equal(await views.promote(live), false)
    },
  },
  {
    name: 'views of different names do not see each other',
    async run(views) {
      const [one, two] = [await views.openLive('one', 1), await views.openLive('two', 1)]
      await views.apply(one, change(undefined, 5, [['a', 1]]))
      assert.equal(await views.get(two, 'a'), undefined)
      assert.deepEqual(await checkpointsOf(views, two), [])
      assert.deepEqual(await views.live('one'), one)
      assert.equal(await views.live('three'), undefined)
    },
  },
  {
    name: 'lists rows by key, by prefix, page by page',
    async run(views) {
      const build = await views.openLive('v', 1)
      const keys = ['b/2', 'a%', 'b/1', 'a_', 'b', 'c', 'b/10', 'é']
      await views.apply(
        build,
        change(
          undefined,
          1,
          keys.map((key) => [key, { key }]),
        ),
      )
      const sorted = keys.toSorted()
      assert.deepEqual(await keysOf(views, build), sorted)
      assert.deepEqual(await keysOf(views, build, { prefix: 'b/' }), ['b/1', 'b/10', 'b/2'])
      assert.deepEqual(await keysOf(views, build, { prefix: 'a%' }), ['a%'])
      assert.deepEqual(await keysOf(views, build, { prefix: 'b/', after: 'b/1', limit: 1 }), ['b/10'])
      assert.deepEqual((await views.list(build, { limit: 1 }))[0]?.row, { key: sorted[0] })
    },
  },
  {
    name: 'a row is JSON of its own: nobody changes it from outside',
    async run(views) {
      const build = await views.openLive('v', 1)
      const row = { list: [1] }
      await views.apply(build, change(undefined, 1, [['a', row]]))
      row.list.push(2)
      const read = (await views.get(build, 'a')) as typeof row
      read.list.push(3)
      assert.deepEqual(await views.get(build, 'a'), { list: [1] })
    },
  },
  {
    name: 'a waiting reader hears of a change, and of its signal',
    async run(views) {
      const build = await views.openLive('v', 1)
      const never = new AbortController()
      const waiting = views.changed(views.generation, never.signal)
      await views.apply(build, change(undefined, 1))
      await waiting
      const aborted = new AbortController()
      const given = views.changed(views.generation, aborted.signal)
      aborted.abort()
      await given
    },
  },
  {
    name: 'V1 V2 two stores on the same views share them: one id, one checkpoint, changes heard',
    needsShared: true,
    async run(views, openAnother) {
      const build = await views.openLive('v', 1)
      const other = await openAnother()
      assert.equal(other.id, views.id)
      assert.deepEqual(await other.openLive('v', 1), build)
      const never = new AbortController()
      const waiting = other.changed(other.generation, never.signal)
      await views.apply(build, change(undefined, 5, [['a', 1]]))
      await waiting
      assert.equal(await other.get(build, 'a'), 1)
      await refused(other.apply(build, change(undefined, 5, [['a', 2]])))
      await views.close()
      await other.apply(build, change(5, 6, [['a', 2]]))
      const third = await openAnother()
      assert.equal(await third.get(build, 'a'), 2)
    },
  },
]

/**
 * Declares the contract suite for one kind of view store; `memoryViews` and `sqliteViews` pass it.
 *
 * @example
 * import { afterAll, describe, it } from 'vitest'
 * viewStoreContract({
 *   name: 'mine',
 *   runner: { describe, it, afterAll },
 *   createViews: async () => ({ open: async () => memoryViews() }),
 *   shared: false,
 * })
 */
export function viewStoreContract({ name, runner, createViews, shared = true }: ViewStoreContractOptions): void {
  runner.describe(`ViewStore contract: ${name}`, () => {
    for (const test of VIEW_TESTS) {
      if (test.needsShared && !shared) continue
      runner.it(test.name, async () => runTest(test, await createViews()))
    }
  })
}

async function runTest(test: ViewTest, place: ViewsUnderTest): Promise<void> {
  const opened: ViewStore[] = []
  const open = async () => {
    const views = await place.open()
    opened.push(views)
    return views
  }
  try {
    await test.run(await open(), open)
  } finally {
    for (const views of opened) await views.close()
    await place.remove?.()
  }
}
