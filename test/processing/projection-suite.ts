import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isDuologError } from '../../src/core/errors.ts'
import type { Event } from '../../src/core/event.ts'
import { memoryViews } from '../../src/processing/memory-views.ts'
import { defineProjection } from '../../src/processing/projection.ts'
import { sqliteViews } from '../../src/processing/sqlite-views.ts'
import { startProjection } from '../../src/processing/start-projection.ts'
import type { ViewStore } from '../../src/processing/view-store.ts'
import { type LogKind, until, workbench } from './logs.ts'

export type Counted = Event<'Added', { n: number }> | Event<'Cleared', Record<string, never>>

interface Row {
  count: number
  sum: number
}

export const counts = (version = 1) =>
  defineProjection<Row, Counted>({
    name: 'counts',
    version,
    initialState: () => ({ count: 0, sum: 0 }),
    handlers: {
      Added: (row, { data }) => ({ count: row.count + 1, sum: row.sum + data.n * version }),
      Cleared: () => undefined,
    },
  })

const added = (n: number): Counted => ({ type: 'Added', data: { n } })

/** The views, but the first read comes late: `swap` was quicker. */
function overtaken(views: ViewStore, swap: () => Promise<void>): ViewStore {
  let swapped: Promise<void> | undefined
  const late =
    <Args extends unknown[], T>(read: (...args: Args) => Promise<T>) =>
    async (...args: Args) => {
      swapped ??= swap()
      await swapped
      return read(...args)
    }
  const own: Partial<ViewStore> = { get: late(views.get.bind(views)), list: late(views.list.bind(views)) }
  return new Proxy(views, {
    get(target, name) {
      const value: unknown = Reflect.get(own, name) ?? Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** The views, but every answer takes a while, as of a database in the network: each time another one. */
function unhurried(views: ViewStore): ViewStore {
  let calls = 0
  return new Proxy(views, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return async (...args: unknown[]) => {
        await new Promise((resolve) => setTimeout(resolve, (calls++ * 7) % 5))
        return value.apply(target, args)
      }
    },
  })
}

export function projectionSuite(log: LogKind): void {
  const bench = workbench()
  const viewKinds: [string, () => Promise<ViewStore>][] = [
    ['memory views', async () => memoryViews()],
    ['sqlite views', () => sqliteViews(join(bench.folder(), 'views.db'))],
  ]
  if (log.name === 'memory') viewKinds.push(['views that take their time', async () => unhurried(memoryViews())])

  describe.each(viewKinds)(`projections: ${log.name}, %s`, (_, openViews) => {
    async function setUp() {
      const folder = bench.folder()
      const store = await bench.open<Counted>(log.newUrl(folder))
      const views = await openViews()
      bench.later(() => views.close())
      const start = (version = 1, more: object = {}) =>
        bench.running(startProjection({ store, projection: counts(version), views, ...more }))
      return { store, views, start }
    }

    it('a writer reads what it wrote', async () => {
      const { store, start } = await setUp()
      const view = start()
      const appended = await store.appendToStream('a', [added(1), added(2)])
      expect(await view.get('a', { after: appended })).toEqual({ count: 2, sum: 3 })
      expect(await view.get('b')).toBeUndefined()
      const cleared = await store.appendToStream('a', [{ type: 'Cleared', data: {} }])
      expect(await view.get('a', { after: cleared })).toBeUndefined()
    })

    it('goes on where it stopped and applies nothing twice', async () => {
      const { store, start } = await setUp()
      const first = start()
      await first.waitFor(await store.appendToStream('a', [added(1)]))
      await first.stop()
      const last = await store.appendToStream('a', [added(1)])
      expect(await start().get('a', { after: last })).toEqual({ count: 2, sum: 2 })
    })

    it('instances on one view store share the partitions, each message applied once', async () => {
      const { store, start } = await setUp()
      const [one, two] = [start(), start()]
      await Promise.all([one.ready, two.ready])
      const streams = Array.from({ length: 20 }, (_, n) => `s${n}`)
      for (let round = 0; round < 3; round++) {
        const appended = await Promise.all(streams.map((stream) => store.appendToStream(stream, [added(1)])))
        await Promise.all(appended.map((each) => two.waitFor(each)))
        if (round === 1) await one.stop()
      }
      expect((await two.list()).map(({ row }) => row.count)).toEqual(streams.map(() => 3))
    })

    it('a new version is built beside the old one and takes its place; readers never see half of it', async () => {
      const { store, start, views } = await setUp()
      const old = start(1)
      const streams = Array.from({ length: 10 }, (_, n) => `s${n}`)
      const appended = await Promise.all(streams.map((stream) => store.appendToStream(stream, [added(1)])))
      await Promise.all(appended.map((each) => old.waitFor(each)))
      await old.stop()
      const next = start(2)
      const seen = new Set<string>()
      await until(async () => {
        const rows = await next.list()
        seen.add(rows.map(({ row }) => row.sum).join())
        return (await next.status()).live.version === 2
      })
      seen.add((await next.list()).map(({ row }) => row.sum).join())
      expect([...seen].sort()).toEqual([streams.map(() => 1).join(), streams.map(() => 2).join()])
      expect(await views.unfinished('counts', 2)).toBeUndefined()
      await expect(start(1).ready).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    })

    it('V3 who reads just while another build takes its place finds what that one has, never nothing', async () => {
      const { store, start, views } = await setUp()
      const builder = start()
      await builder.waitFor(await store.appendToStream('a', [added(1)]))
      const readers = [1, 2].map(() => start(1, { views: overtaken(views, () => builder.rebuild()) }))
      expect(await readers[0]?.get('a')).toEqual({ count: 1, sum: 1 })
      expect(await readers[1]?.list()).toEqual([{ key: 'a', row: { count: 1, sum: 1 } }])
    })

    it('says how far the build beside the live one is; one that gets stuck leaves the live one as it is', async () => {
      const { store, start } = await setUp()
      const live = start(1)
      const events = [added(1), added(2), added(13), added(4)]
      await live.waitFor(await store.appendToStream('a', events))
      expect((await live.status()).building).toBeUndefined()
      const next = start(2, { projection: { ...counts(2), evolve: failAt(13) }, onError: () => {} })
      await until(async () => (await next.status()).building?.applied === 2)
      const { live: shown, building } = await next.status()
      expect([shown.version, building?.version]).toEqual([1, 2])
      expect(building?.end).toBeGreaterThanOrEqual(events.length)
      expect(await next.get('a')).toEqual({ count: 4, sum: 20 })
    })

    it('is rebuilt while events flow: nothing is lost, no reader goes back', async () => {
      const { store, start } = await setUp()
      const view = start()
      await view.waitFor(await store.appendToStream('a', [added(1)]))
      const before = (await view.status()).live.generation
      let stop = false
      const readBack: number[] = []
      const writer = (async () => {
        for (let n = 2; !stop; n++) {
          const appended = await store.appendToStream('a', [added(1)])
          await new Promise(setImmediate)
          readBack.push((await view.get('a', { after: appended }))?.count ?? 0, n)
        }
      })()
      await view.rebuild()
      expect((await view.status()).live.generation).toBeGreaterThan(before)
      await until(() => readBack.length > 4)
      stop = true
      await writer
      for (let i = 0; i < readBack.length; i += 2) expect(readBack[i]).toBe(readBack[i + 1])
    })

    it('V3 two who rebuild at once, in one instance and in two: all of them end, and nothing fails', async () => {
      const { store, start } = await setUp()
      const errors: unknown[] = []
      const onError = (error: unknown) => void errors.push(error)
      const [one, two] = [start(1, { onError }), start(1, { onError })]
      await one.waitFor(await store.appendToStream('a', [added(1)]))
      await two.ready
      const before = (await one.status()).live.generation
      await Promise.all([one.rebuild(), one.rebuild(), two.rebuild()])
      expect((await one.status()).live.generation).toBeGreaterThan(before)
      const last = await store.appendToStream('a', [added(1)])
      expect(await two.get('a', { after: last })).toEqual({ count: 2, sum: 2 })
      await one.rebuild()
      const after = await store.appendToStream('a', [added(1)])
      expect(await two.get('a', { after })).toEqual({ count: 3, sum: 3 })
      await Promise.all([one.stop(), two.stop()])
      const told = errors.length
      await new Promise((resolve) => setTimeout(resolve, 300))
      expect(errors.slice(told)).toEqual([])
      expect(errors).toEqual([])
    })

    it('an instance of an older version gives none of the newer rows, and stops', async () => {
      const { store, start } = await setUp()
      const old = start(1)
      await old.waitFor(await store.appendToStream('a', [added(1)]))
      const next = start(2)
      await until(async () => (await next.status()).live.version === 2)
      await expect(old.get('a')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
      await expect(old.list()).rejects.toThrow('run a newer program')
      expect(await old.stopped).toContain('is at version 2, this program computes version 1')
      expect(await next.get('a')).toEqual({ count: 1, sum: 2 })
    })

    it('an instance of an older version that is not asked notices at the next message', async () => {
      const { store, start } = await setUp()
      const errors: unknown[] = []
      const old = start(1, { onError: (error: unknown) => errors.push(error) })
      await old.waitFor(await store.appendToStream('a', [added(1)]))
      const next = start(2)
      await until(async () => (await next.status()).live.version === 2)
      await next.waitFor(await store.appendToStream('a', [added(1)]))
      expect(await old.stopped).toContain('is at version 2')
      expect(errors).toMatchObject([{ code: 'INVALID_ARGUMENT' }])
    })

    it('P6 poison: what came before is applied, the partition waits, and is told of', async () => {
      const { store, start, views } = await setUp()
      const poisoned = { ...counts(), evolve: failAt(13) }
      const heard: unknown[] = []
      const last = await store.appendToStream('a', [added(1), added(13), added(2)])
      const waiting = start(1, { projection: poisoned, onError: (error: unknown) => heard.push(error) })
      await until(() => heard.length > 1)
      expect(heard.every((error) => isDuologError(error, 'PROJECTION_FAILED'))).toBe(true)
      expect(await waiting.get('a')).toEqual({ count: 1, sum: 1 })
      const { lagSeconds } = await waiting.status()
      await until(async () => (await waiting.status()).lagSeconds > lagSeconds)
      const { lag } = await waiting.status()
      const [behind, ...others] = lag.toSorted((a, b) => (b.seconds ?? 0) - (a.seconds ?? 0))
      const poison = await Array.fromAsync(store.readStream('a', { from: 2, to: 2 }))
      expect(behind?.partition).toBe(poison[0]?.partition)
      expect(behind?.seconds).toBeGreaterThan(lagSeconds)
      expect(others.map(({ seconds }) => seconds)).toEqual(others.map(() => 0))
      await waiting.stop()
      const skipped: unknown[] = []
      const onSkipped = ({ data }: { data: unknown }) => skipped.push(data)
      const going = bench.running(startProjection({ store, projection: poisoned, views, poison: 'skip', onSkipped }))
      expect(await going.get('a', { after: last })).toEqual({ count: 2, sum: 3 })
      expect(skipped).toEqual([{ n: 13 }])
      expect((await going.status()).lagSeconds).toBe(0)
    })

    it('a view that is ahead of the log is refused: it is of another log', async () => {
      const { store, views, start } = await setUp()
      await start().waitFor(await store.appendToStream('a', [added(1)]))
      const other = await bench.open<Counted>(log.newUrl(bench.folder()))
      const wrong = bench.running(startProjection({ store: other, projection: counts(), views }))
      await expect(wrong.ready).rejects.toMatchObject({ code: 'CHECKPOINT_AHEAD' })
      // Nor is a newer version built beside it, which could never take its place.
      const newer = bench.running(startProjection({ store: other, projection: counts(2), views }))
      await expect(newer.ready).rejects.toMatchObject({ code: 'CHECKPOINT_AHEAD' })
      expect(await views.unfinished('counts', 2)).toBeUndefined()
    })

    it('an unfinished build that is ahead of the log is not gone on with', async () => {
      const { store, views, start } = await setUp()
      await start().waitFor(await store.appendToStream('a', [added(1)]))
      const unfinished = await views.createBuild('counts', 2)
      const [place] = await views.checkpoints(await views.openLive('counts', 1))
      const ahead = { ...{ topic: 'session.events', partition: 0, ...place }, from: undefined, to: 1000 }
      await views.apply(unfinished, { ...ahead, rows: () => new Map() })
      await expect(start(2).ready).rejects.toThrow('has applied partition')
    })

    it('V1 V2 a change that does not begin at the checkpoint changes nothing', async () => {
      const { views } = await setUp()
      const build = await views.createBuild('v', 1)
      const change = { topic: 't', partition: 0, from: undefined, to: 5, rows: () => new Map([['k', 1]]) }
      await views.apply(build, change)
      const stale = { ...change, rows: () => new Map([['k', 2]]) }
      await expect(views.apply(build, stale)).rejects.toMatchObject({ code: 'CHECKPOINT_FENCED' })
      const failing = {
        ...change,
        from: 5,
        to: 9,
        rows: () => {
          throw new Error('no')
        },
      }
      await expect(views.apply(build, failing)).rejects.toThrow('no')
      expect(await views.get(build, 'k')).toBe(1)
      expect(await views.checkpoints(build)).toEqual([{ topic: 't', partition: 0, offset: 5 }])
    })
  })
}

function failAt(n: number) {
  const { evolve } = counts()
  return (...[row, event]: Parameters<typeof evolve>) => {
    if (event.type === 'Added' && event.data.n === n) throw new Error(`cannot add ${n}`)
    return evolve(row, event)
  }
}
