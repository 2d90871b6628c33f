import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { Event } from '../../src/core/event.ts'
import { defineProjection } from '../../src/processing/projection.ts'
import { sqliteViews } from '../../src/processing/sqlite-views.ts'
import { startProjection } from '../../src/processing/start-projection.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { percentile, round, timed } from '../report.ts'

type Added = Event<'Added', { n: number }>

const counts = defineProjection<{ count: number }, Added>({
  name: 'counts',
  initialState: () => ({ count: 0 }),
  evolve: (row) => ({ count: row.count + 1 }),
})

const STREAMS = 100
const TICK_MS = 1
const WARM_UP_MS = 2_000
const one: Added = { type: 'Added', data: { n: 1 } }

/**
 * From the moment an append was due until a reader of the view (SQLite) sees it, at a steady rate: a loop that stood still
 * counts against it. At most 200/s are timed.
 */
export async function visibleAfter(store: EventStore, folder: string, load: { perSecond: number; seconds: number }) {
  const views = await sqliteViews(join(folder, `views-${randomUUID()}.db`))
  const view = startProjection<{ count: number }, Added>({
    store: store as unknown as EventStore<Added>,
    projection: counts,
    views,
  })
  await view.ready
  // What a view that is new has to catch up with is not what is asked here.
  await view.waitFor(await store.appendToStream('catch-up', [one]))
  const everyNth = Math.ceil(load.perSecond / 200)
  const times: number[] = []
  const waiting: Promise<unknown>[] = []
  const beganMs = performance.now()
  const total = load.perSecond * load.seconds
  for (let n = 0; n < total; ) {
    const due = Math.floor(((performance.now() - beganMs) * load.perSecond) / 1000)
    for (; n <= due && n < total; n++) waiting.push(append(n))
    await new Promise((resolve) => setTimeout(resolve, TICK_MS))
  }
  await Promise.all(waiting)
  await view.stop()
  await views.close()
  return { p50Ms: round(percentile(times, 0.5)), p99Ms: round(percentile(times, 0.99)) }

  async function append(n: number): Promise<void> {
    const dueMs = beganMs + (n * 1000) / load.perSecond
    const appended = await store.appendToStream(`s${load.perSecond}-${n % STREAMS}`, [one])
    if (n % everyNth !== 0) return
    await view.waitFor(appended)
    if (dueMs - beganMs > WARM_UP_MS) times.push(performance.now() - dueMs)
  }
}

const REBUILT = 200_000
const BATCH = 1_000

/** Events per second of rebuilds in SQLite; one before them warms up and does not count. */
export async function rebuildSpeed(store: EventStore, folder: string, rounds: number): Promise<readonly number[]> {
  for (let n = 0; n < REBUILT / BATCH; n++) {
    await store.appendToStream(
      `r${n % STREAMS}`,
      Array.from({ length: BATCH }, () => one),
    )
  }
  const views = await sqliteViews(join(folder, 'views-rebuilt.db'))
  const view = startProjection<{ count: number }, Added>({
    store: store as unknown as EventStore<Added>,
    projection: counts,
    views,
  })
  await view.ready
  await view.rebuild()
  const times: number[] = []
  for (let round = 0; round < rounds; round++) times.push(await timed(() => view.rebuild()))
  const counted = (await view.list()).reduce((sum, { row }) => sum + row.count, 0)
  if (counted < REBUILT) throw new Error(`${counted} events were counted, not ${REBUILT}`)
  await view.stop()
  await views.close()
  return times.map((ms) => (counted * 1000) / ms)
}
