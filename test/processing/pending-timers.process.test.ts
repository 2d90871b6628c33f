import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { defineProcessManager } from '../../src/processing/process-manager.ts'
import { startProcessManager } from '../../src/processing/start-process-manager.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { localLogs, until, workbench } from './logs.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** 100,000 with DUOLOG_LONG=1. */
const TIMERS = process.env.DUOLOG_LONG === '1' ? 100_000 : 600
const TOGETHER = 100
/** Of the store and the cache of folded states, however many timers there are; and of one pending timer. */
const [CACHES_BYTES, TIMER_BYTES] = [24_000_000, 600]

type Asked = { readonly type: 'Asked'; readonly data: { readonly id: string } }

const patience = defineProcessManager({
  name: 'patience',
  initialState: () => ({}),
  evolve: (state, _: Asked) => state,
  correlate: ({ data }) => data.id,
  steps: {},
  nextActions: (_, { timers }) =>
    timers.t === 'fired' ? [{ kind: 'complete' }] : [{ kind: 'schedule', timer: 't', afterMs: 3_600_000 }],
})

const bench = workbench()
const [, file] = localLogs

it(`${TIMERS} pending timers of a running process manager: in bounded memory, found again at a start, each fires once`, {
  timeout: 3_600_000,
}, async () => {
  const store: EventStore<Asked> = await bench.open(file!.newUrl(bench.folder()))
  const clock = virtualClock()
  const start = () => bench.running(startProcessManager({ store, manager: patience, clock }))
  const heap = () => {
    collect()
    return process.memoryUsage().heapUsed
  }
  const before = heap()
  const first = start()
  for (let n = 0; n < TIMERS; n += TOGETHER) {
    const asks = Array.from({ length: TOGETHER }, (_, m): Asked => ({ type: 'Asked', data: { id: `q${n + m}` } }))
    await store.appendToStream(`asks-${(n / TOGETHER) % 24}`, asks)
  }
  await until(() => first.pendingTimers === TIMERS)
  expect(heap() - before).toBeLessThan(CACHES_BYTES + TIMERS * TIMER_BYTES)
  await first.stop()
  const second = start()
  await until(() => second.pendingTimers === TIMERS)
  clock.advance(3_600_000)
  await until(() => second.pendingTimers === 0)
  await second.stop() // those under way are done then
  const lengths = new Map<number, number>()
  for await (const { stream, currentStreamVersion: length } of store.listStreams()) {
    if (stream.startsWith('patience:')) lengths.set(length, (lengths.get(length) ?? 0) + 1)
  }
  // Heard, scheduled, fired, completed: a second time would show as a fifth event.
  expect([...lengths]).toEqual([[4, TIMERS]])
})
