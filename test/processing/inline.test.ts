import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineCatalogue, defineEvent } from '../../src/core/catalogue.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { startInlineProjection } from '../../src/processing/inline-projection.ts'
import { defineProjection } from '../../src/processing/projection.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { localLogs, until, workbench } from './logs.ts'
import { type Counted, counts } from './projection-suite.ts'

const added = (n: number): Counted => ({ type: 'Added', data: { n } })

describe.each(localLogs)('inline projections: $name (I1, I2)', ({ newUrl }) => {
  const bench = workbench()

  async function setUp() {
    const url = newUrl(bench.folder())
    const store = await bench.open<Counted>(url)
    const another = () => bench.open<Counted>(url)
    const keep = (on = store, version = 1) =>
      startInlineProjection({ store: on, projection: counts(version) }).then(bench.running)
    return { store, another, keep }
  }

  it('a row is up to date when the append is answered', async () => {
    const { store, keep } = await setUp()
    await store.appendToStream('a', [added(5)])
    const view = await keep()
    expect(await view.get('a')).toEqual({ count: 1, sum: 5 })
    await store.appendToStream('a', [added(1), added(2)])
    expect(await view.get('a')).toEqual({ count: 3, sum: 8 })
    await store.appendToStream('a', [{ type: 'Cleared', data: {} }])
    expect(await view.get('a')).toBeUndefined()
    expect(await view.get('nobody')).toBeUndefined()
  })

  it('a refused or repeated append changes no row', async () => {
    const { store, keep } = await setUp()
    const view = await keep()
    await store.appendToStream('a', [added(1)], { idempotencyKey: 'once' })
    await store.appendToStream('a', [added(1)], { idempotencyKey: 'once' })
    const late = store.appendToStream('a', [added(1)], { expectedStreamVersion: 7 })
    await expect(late).rejects.toMatchObject({ code: 'EXPECTED_VERSION_CONFLICT' })
    expect(await view.get('a')).toEqual({ count: 1, sum: 1 })
  })

  it('many appends at once: the rows are the log', async () => {
    const { store, keep } = await setUp()
    const view = await keep()
    const appends = Array.from({ length: 200 }, (_, n) => store.appendToStream(`s${n % 7}`, [added(n)]))
    await Promise.all(appends)
    const rows = await view.list()
    expect(rows.map(({ key }) => key)).toEqual(['s0', 's1', 's2', 's3', 's4', 's5', 's6'])
    expect(rows.reduce((sum, { row }) => sum + row.count, 0)).toBe(200)
    expect(rows.reduce((sum, { row }) => sum + row.sum, 0)).toBe(19_900)
    expect(await view.list({ after: 's2', limit: 2 })).toEqual(rows.slice(3, 5))
    expect(await view.list({ prefix: 's6' })).toEqual(rows.slice(6))
  })

  it('P9 one that keeps the event loop from turning is told to the logger of the store', async () => {
    const told: object[] = []
    const error = (fields: object) => {
      told.push(fields)
      throw new Error('the logger is broken')
    }
    const logger = { ...silentLogger, error }
    const store = await openEventStore<Counted>(newUrl(bench.folder()), { logger })
    bench.later(() => store.close())
    const slow = defineProjection<{ n: number }, Counted>({
      name: 'slow',
      initialState: () => ({ n: 0 }),
      evolve: ({ n }) => {
        const beganMs = performance.now()
        while (performance.now() - beganMs < 1_050) Math.sqrt(beganMs)
        return { n: n + 1 }
      },
    })
    const view = bench.running(await startInlineProjection({ store, projection: slow }))
    await store.appendToStream('a', [added(1)])
    expect(await view.get('a')).toEqual({ n: 1 })
    const message = expect.stringMatching(/^Inline projection "slow", for 1 messages, took \d+ ms/)
    expect(told).toMatchObject([{ projection: 'slow', err: { code: 'EVENT_LOOP_BLOCKED', message } }])
  })

  it('what is appended without it is made up for, in order', async () => {
    const { store, another, keep } = await setUp()
    const view = await keep()
    const other = await another()
    await store.appendToStream('a', [added(1)])
    await other.appendToStream('a', [{ type: 'Cleared', data: {} }])
    for (let n = 0; n < 1100; n += 100) {
      await other.appendToStream(
        'a',
        Array.from({ length: 100 }, () => added(1)),
      )
    }
    expect(await view.get('a')).toEqual({ count: 1100, sum: 1100 })
    await view.stop()
    await store.appendToStream('a', [added(1)])
    const again = await keep(other)
    await store.appendToStream('a', [added(1)])
    await other.appendToStream('a', [added(1)])
    expect(await again.get('a')).toEqual({ count: 1103, sum: 1103 })
  })

  it('a function that throws refuses the append: nothing is written, its neighbours are', async () => {
    const { store } = await setUp()
    const picky = defineProjection<{ sum: number }, Counted>({
      name: 'picky',
      topics: ['session.events', 'notes'],
      initialState: () => ({ sum: 0 }),
      handlers: {
        Added: ({ sum }, { data }) => {
          if (data.n === 13) throw new Error('unlucky')
          return { sum: sum + data.n }
        },
      },
    })
    const view = bench.running(await startInlineProjection({ store, projection: picky }))
    const outgoing = [{ topic: 'notes', key: 'a', type: 'Added', data: { n: 13 } }]
    const outcomes = await Promise.allSettled([
      store.appendToStream('a', [added(1)]),
      store.appendToStream('a', [added(2), added(13)], { idempotencyKey: 'k' }),
      store.appendToStream('new', [added(13)]),
      store.appendToStream('a', [added(4)], { outgoing }),
      store.appendToStream('a', [added(8)]),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected', 'fulfilled'])
    expect(outcomes[1]).toMatchObject({ reason: { code: 'PROJECTION_FAILED', message: /"picky".*unlucky/ } })
    expect(await view.list()).toEqual([{ key: 'a', row: { sum: 9 } }])
    expect(await Array.fromAsync(store.readStream('a'), ({ data, streamPosition }) => [data, streamPosition])).toEqual([
      [{ n: 1 }, 1],
      [{ n: 8 }, 2],
    ])
    expect(await Array.fromAsync(store.listStreams(), ({ stream }) => stream)).toEqual(['a'])
    expect((await store.partitionEnds('notes')).every(({ offset }) => offset === 0)).toBe(true)
    // The key of the refused one is free.
    expect(await store.appendToStream('a', [added(16)], { idempotencyKey: 'k' })).toMatchObject({ repeated: false })
    expect(await view.get('a')).toEqual({ sum: 25 })
  })

  it('a checkpoint that travels with a refused append does not move', async () => {
    const { store } = await setUp()
    let refuse = true
    const gate = defineProjection<{ n: number }, Counted>({
      name: 'gate',
      initialState: () => ({ n: 0 }),
      evolve: (row, { key }) => {
        if (refuse && key === 'out') throw new Error('closed')
        return { n: row.n + 1 }
      },
    })
    const view = bench.running(await startInlineProjection({ store, projection: gate }))
    const errors: unknown[] = []
    const consume = () =>
      bench.running(
        store.consume({
          group: 'g',
          topics: ['session.events'],
          handler: async ({ key }, { checkpoint }) => {
            if (key === 'in') await store.appendToStream('out', [added(1)], { checkpoint })
          },
          onError: (error) => void errors.push(error),
        }),
      )
    const first = consume()
    await first.ready
    await store.appendToStream('in', [added(1)])
    await until(() => errors.length > 0)
    await first.stop()
    expect(errors[0]).toMatchObject({ code: 'PROJECTION_FAILED' })
    refuse = false
    // Begins where the group's checkpoint is: at the message whose append was refused.
    consume()
    await store.waitForVersion('out', 1)
    expect(await view.get('out')).toEqual({ n: 1 })
  })

  it('a row that JSON cannot carry refuses the append', async () => {
    const { store } = await setUp()
    const odd = defineProjection<unknown, Counted>({ name: 'odd', initialState: () => 0, evolve: () => 1n })
    bench.running(await startInlineProjection({ store, projection: odd }))
    await expect(store.appendToStream('a', [added(1)])).rejects.toMatchObject({ code: 'PROJECTION_FAILED' })
    expect(await Array.fromAsync(store.listStreams())).toEqual([])
  })

  it('a newer version takes the place of the older, which is then refused', async () => {
    const { store, another, keep } = await setUp()
    const old = await keep()
    await store.appendToStream('a', [added(2)])
    const newer = await keep(await another(), 2)
    expect(await newer.get('a')).toEqual({ count: 1, sum: 4 })
    await store.appendToStream('a', [added(1)])
    expect(await newer.get('a')).toEqual({ count: 2, sum: 6 })
    await expect(old.get('a')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(keep()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message: /version 2/ })
  })

  it('one that cannot catch up is not kept; mended, it is', async () => {
    const { store, keep } = await setUp()
    await store.appendToStream('a', [added(1)])
    const spec = { name: 'counts', initialState: () => ({ count: 0, sum: 0 }) }
    const broken = defineProjection<{ count: number; sum: number }, Counted>({
      ...spec,
      evolve: () => {
        throw new Error('broken')
      },
    })
    const failed = startInlineProjection({ store, projection: broken })
    await expect(failed).rejects.toMatchObject({ code: 'PROJECTION_FAILED' })
    await store.appendToStream('a', [added(1)])
    expect(await (await keep()).get('a')).toEqual({ count: 2, sum: 2 })
  })

  it('sees events as the catalogue reads them, and says which are too large for a transaction', async () => {
    const url = newUrl(bench.folder())
    const plain = await bench.open<Counted>(url)
    await plain.appendToStream('a', [{ type: 'Added', data: { n: 1 } }])
    const upcast = { 1: ({ n }: { n?: number }) => ({ n: (n ?? 0) * 10 }) }
    const data = z.object({ n: z.number(), more: z.string().optional() })
    const events = defineCatalogue([defineEvent({ name: 'Added', version: 2, data, upcast })])
    const store = await openEventStore(url, { events, largeEvents: { limitBytes: 100 } })
    bench.later(() => store.close())
    const view = bench.running(
      await startInlineProjection({ store: store as EventStore<Counted>, projection: counts() }),
    )
    await store.appendToStream('a', [{ type: 'Added', data: { n: 5 } }])
    expect(await view.get('a')).toEqual({ count: 2, sum: 15 })
    const large = { type: 'Added', data: { n: 1, more: 'x'.repeat(200) } } as const
    const refused = store.appendToStream('a', [large])
    await expect(refused).rejects.toMatchObject({ code: 'PROJECTION_FAILED', message: /limitBytes/ })
    expect(await view.get('a')).toEqual({ count: 2, sum: 15 })
  })

  it('a closed store says so', async () => {
    const { store, keep } = await setUp()
    const view = await keep()
    await store.close()
    await expect(view.get('a')).rejects.toMatchObject({ code: 'STORE_CLOSED' })
    await expect(keep()).rejects.toMatchObject({ code: 'STORE_CLOSED' })
  })
})
