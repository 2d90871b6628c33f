import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { EventStore } from '../../src/store/event-store.ts'
import { median, percentile, progress, type Result, round, timed } from '../report.ts'
import { eventOf } from './load.ts'
import { openWith } from './open.ts'
import type { PartTask } from './plan.ts'
import type { SharingTask } from './sharing-program.ts'

/*
 * Processes that want one partition, how fast one takes over from another, and how long an append
 * takes when events come at a given rate, whether or not the store keeps up (no caller waits for another).
 */

/** Holds are 80 to 500 ms: shares of a few seconds are chance. */
const CONTEND_MS = 15_000
const CONTEND_CALLERS = 50
const CONTENDERS = 3
const TAKEOVERS = 40
const OFFERED_PER_SECOND = 10_000
const OFFERED_MS = 8000
const TICK_MS = 1

export async function measure(task: PartTask): Promise<readonly Result[]> {
  return [...(await measureFairness(task)), ...(await measureTakeover(task)), ...(await measureOffered(task))]
}

async function measureFairness(task: PartTask): Promise<Result[]> {
  progress('  one process alone')
  const [alone = Number.NaN] = await contend(task, 1)
  progress('  three on one partition')
  const counts = await contend(task, CONTENDERS)
  const together = counts.reduce((sum, count) => sum + count, 0)
  const least = Math.min(...counts) / together
  const kept = together / alone
  const against = `one process alone, ${round((alone * 1000) / contendMs(task))} appends/s`
  const shares = counts.map((count) => round(count / together)).join(', ')
  return [
    {
      name: 'three processes: least share',
      value: round(least),
      unit: '×',
      goal: '>= 0.2',
      met: least >= 0.2,
      against: `all three: ${shares}`,
    },
    { name: 'three processes: together', value: round(kept), unit: '×', goal: '>= 0.4', met: kept >= 0.4, against },
  ]
}

const contendMs = ({ quick }: PartTask) => (quick ? CONTEND_MS / 5 : CONTEND_MS)

async function contend(of: PartTask, processes: number): Promise<readonly number[]> {
  const { brokers, driver } = of
  const prefix = `bench-${randomUUID()}.`
  const task: SharingTask = { brokers, driver, prefix, forMs: contendMs(of), callers: CONTEND_CALLERS }
  const program = fileURLToPath(new URL('./sharing-program.ts', import.meta.url))
  const children = []
  for (let i = 0; i < processes; i++) {
    const child = fork(program, [JSON.stringify(task)])
    await once(child, 'message')
    children.push(child)
  }
  const counts = children.map(async (child) => Number((await once(child, 'message'))[0]))
  for (const child of children) child.send('go')
  return Promise.all(counts)
}

async function measureTakeover({ brokers, driver, quick }: PartTask): Promise<Result[]> {
  progress('  takeovers')
  const prefix = `bench-${randomUUID()}.`
  const stores = [await openWith(brokers, 1, { prefix, driver }), await openWith(brokers, 1, { prefix, driver })]
  const latencies: number[] = []
  for (let i = 0; i < (quick ? TAKEOVERS / 4 : TAKEOVERS); i++) {
    const store = stores[i % 2] as EventStore
    latencies.push(await timed(() => store.appendToStream('taken', [eventOf(300)])))
    await new Promise((resolve) => setTimeout(resolve, 300)) // not lately: no manners are asked for
  }
  await Promise.all(stores.map((store) => store.close()))
  const warm = median(latencies.slice(4))
  const first = Math.max(...latencies.slice(0, 2))
  return [
    {
      name: 'warm takeover and append: p50',
      value: round(warm),
      unit: 'ms',
      goal: '< 20 ms',
      met: warm < 20,
      against: 'nothing',
    },
    { name: 'first append of a process', value: round(first), unit: 'ms', against: 'nothing' },
  ]
}

async function measureOffered({ brokers, driver, quick }: PartTask): Promise<Result[]> {
  const store = await openWith(brokers, 1, { driver })
  const forMs = quick ? OFFERED_MS / 8 : OFFERED_MS
  await offer(store, forMs / 2)
  progress(`  ${OFFERED_PER_SECOND} events/s offered`)
  const latencies = await offer(store, forMs)
  await store.close()
  const p99 = percentile(latencies, 0.99)
  const name = `${OFFERED_PER_SECOND} events/s offered, 1 KB`
  return [
    { name: `${name}: p50`, value: round(median(latencies)), unit: 'ms', against: 'nothing' },
    { name: `${name}: p99`, value: round(p99), unit: 'ms', goal: '< 25 ms', met: p99 < 25, against: 'nothing' },
  ]
}

/**
 * Latency counts from when the event was due, not from when the busy process got to it. No promise is kept, so that what
 * garbage is collected is the store's.
 */
async function offer(store: EventStore, forMs: number): Promise<readonly number[]> {
  const latencies: number[] = []
  const event = eventOf(1000)
  const run = randomUUID()
  const failures: unknown[] = []
  const begun = performance.now()
  let sent = 0
  while (performance.now() - begun < forMs) {
    const due = Math.floor(((performance.now() - begun) * OFFERED_PER_SECOND) / 1000)
    for (; sent < due; sent++) {
      const dueAt = begun + (sent * 1000) / OFFERED_PER_SECOND
      const append = store.appendToStream(`${run}-${sent % 1000}`, [event])
      append.then(
        () => latencies.push(performance.now() - dueAt),
        (error: unknown) => failures.push(error),
      )
    }
    await new Promise((resolve) => setTimeout(resolve, TICK_MS))
  }
  while (latencies.length + failures.length < sent) await new Promise((resolve) => setTimeout(resolve, TICK_MS))
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} appends failed`)
  return latencies
}
