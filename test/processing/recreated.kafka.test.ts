import { join } from 'node:path'
import { expect, it } from 'vitest'
import { defineProcessManager } from '../../src/processing/process-manager.ts'
import { sqliteViews } from '../../src/processing/sqlite-views.ts'
import { startProcessManager } from '../../src/processing/start-process-manager.ts'
import { startProcessor } from '../../src/processing/start-processor.ts'
import { startProjection } from '../../src/processing/start-projection.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { ONE_PARTITION } from '../kafka/appender.ts'
import { makeAnew } from '../kafka/make-anew.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { until, workbench } from './logs.ts'
import { type Counted, counts } from './projection-suite.ts'

/*
 * The event topic is deleted and made anew under what stands on it, while that runs and while it does not: loud, and
 * nothing is guessed.
 */

const EVENTS = 'session.events'
const AHEAD = { code: 'CHECKPOINT_AHEAD' }
const added = (n: number): Counted => ({ type: 'Added', data: { n } })

const watcher = defineProcessManager({
  name: 'watcher',
  initialState: () => ({}),
  evolve: (state, _event: Counted) => state,
  correlate: (event) => ('n' in event.data ? `n${event.data.n}` : undefined),
  steps: {},
  nextActions: () => [{ kind: 'schedule', timer: 'late', afterMs: 3_600_000 }],
})

describeKafka('an event topic that is made anew', () => {
  const bench = workbench()

  async function setUp(label: string) {
    const prefix = uniquePrefix(label)
    const open = async () => {
      const store = await openKafkaStore({ brokers: kafkaBrokers.split(','), prefix }, { topics: ONE_PARTITION })
      bench.later(() => store.close())
      return store as unknown as EventStore<Counted>
    }
    const views = await sqliteViews(join(bench.folder(), 'views.db'))
    bench.later(() => views.close())
    const errors: unknown[] = []
    const onError = (error: unknown) => void errors.push(error)
    return { open, views, errors, onError, anew: () => makeAnew(`${prefix}${EVENTS}`) }
  }

  it('under a running processor, view and process manager: each says so and ends', async () => {
    const { open, views, errors, onError, anew } = await setUp('anew-running')
    const store = await open()
    const seen: number[] = []
    const processor = bench.running(
      startProcessor<Counted>({
        store,
        group: 'workers',
        onError,
        handler: async ({ data }) => void seen.push('n' in data ? data.n : 0),
      }),
    )
    const view = bench.running(startProjection({ store, projection: counts(), views, onError }))
    const manager = bench.running(startProcessManager({ store, manager: watcher, onError }))
    await Promise.all([processor.ready, view.ready, manager.ready])
    await view.waitFor(await store.appendToStream('a', [added(1), added(2), added(3)]))
    await until(() => seen.length === 3 && manager.pendingTimers === 3)
    await anew()
    expect(await manager.ended).toMatchObject(AHEAD)
    expect(await processor.stopped).toContain('the topic was made anew')
    expect(await view.stopped).toContain('the topic was made anew')
    expect(errors).toContainEqual(expect.objectContaining(AHEAD))
    await expect(view.status()).rejects.toMatchObject(AHEAD)
    expect(await processor.lag()).toEqual([])
    expect(seen).toEqual([1, 2, 3])
  })

  it('while nothing runs: a view is refused, in this and in a newer version; a processor begins anew', async () => {
    const { open, views, onError, anew } = await setUp('anew-stopped')
    const store = await open()
    const seen: number[] = []
    const startWorkers = (on: typeof store) =>
      startProcessor<Counted>({
        store: on,
        group: 'workers',
        handler: async ({ data }) => void seen.push('n' in data ? data.n : 0),
      })
    const first = startProjection({ store, projection: counts(), views })
    const workers = startWorkers(store)
    await first.waitFor(await store.appendToStream('a', [added(1), added(2), added(3)]))
    await until(() => seen.length === 3)
    await Promise.all([first.stop(), workers.stop()])
    await store.close()
    await anew()
    const later = await open()
    await later.appendToStream('b', [added(7)])
    for (const version of [1, 2]) {
      const view = bench.running(startProjection({ store: later, projection: counts(version), views, onError }))
      await expect(view.ready).rejects.toMatchObject(AHEAD)
    }
    // A group's checkpoint is gone with the topic it was of.
    bench.running(startWorkers(later))
    await until(() => seen.length === 4)
    expect(seen).toEqual([1, 2, 3, 7])
  })
})
