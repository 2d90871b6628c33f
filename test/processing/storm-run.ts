import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AnyEvent } from '../../src/core/event.ts'
import { sqliteViews } from '../../src/processing/sqlite-views.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { type Child, startProgram } from '../support/program.ts'
import type { NewLog } from './crash-run.ts'
import { counts } from './projection-suite.ts'

/*
 * A rebalance storm: processes join and leave two groups, one comes and one goes every second, while events flow. Judged
 * by counting: P2, P6, V1: nothing lost, nothing applied twice, each key's order kept.
 */

const STREAMS = 12
const TOGETHER = 25
const SECOND_MS = 1000
/** Members that live at a time, beside the one that stays. */
const LIVING = 2

export interface StormOptions {
  readonly seconds: number
  readonly events: number
  /** How long the members may take to finish what is left when the storm is over. */
  readonly patienceMs: number
}

/** Of the tests. */
export const stormSize: StormOptions =
  process.env.DUOLOG_LONG === '1'
    ? { seconds: 60, events: 50_000, patienceMs: 300_000 }
    : { seconds: 12, events: 5_000, patienceMs: 60_000 }

export interface StormOutcome {
  readonly joined: number
  readonly left: number
  readonly killed: number
  readonly events: number
  /** How many events were applied and jobs handled when the storm was over, the calm not yet begun. */
  readonly duringStorm: { readonly applied: number; readonly handled: number }
  readonly calmMs: number
  readonly violations: readonly string[]
}

interface Storm extends StormOptions {
  readonly url: string
  readonly views: string
  readonly store: EventStore
}

export async function stormOn(newLog: NewLog, options: StormOptions): Promise<StormOutcome> {
  const folder = mkdtempSync(join(tmpdir(), 'duolog-storm-'))
  const url = newLog(folder)
  const store = await openEventStore(url)
  const storm = { ...options, url, views: join(folder, 'views.db'), store }
  const stays = enter(storm)
  try {
    await stays.said('joined')
    const [events, churned] = await Promise.all([flow(storm), churn(storm)])
    const duringStorm = await progressOf(storm)
    const beganMs = performance.now()
    await calm(storm, events)
    const calmMs = Math.round(performance.now() - beganMs)
    await leave(stays)
    return { ...churned, events, duringStorm, calmMs, violations: await judge(storm, events) }
  } finally {
    stays.process.kill('SIGKILL')
    await stays.ended
    await store.close()
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

const enter = ({ url, views }: Storm) =>
  startProgram(new URL('./storm-member-main.ts', import.meta.url), { url, views })

async function leave(member: Child): Promise<string | undefined> {
  member.process.stdin?.end()
  const { code, errors } = await member.ended
  return code === 0 ? undefined : errors
}

/** Events, each with a job behind it, evenly over the time. */
async function flow({ store, seconds, events }: Storm): Promise<number> {
  const rounds = Math.ceil(events / TOGETHER)
  const beganMs = performance.now()
  const waiting: Promise<unknown>[] = []
  for (let round = 0; round < rounds; round++) {
    const earlyMs = (round * seconds * SECOND_MS) / rounds - (performance.now() - beganMs)
    if (earlyMs > 1) await new Promise((resolve) => setTimeout(resolve, earlyMs))
    const numbers = Array.from({ length: TOGETHER }, (_, n) => Math.floor(round / STREAMS) * TOGETHER + n)
    waiting.push(write(store, `stream-${round % STREAMS}`, numbers))
  }
  await Promise.all(waiting)
  return rounds * TOGETHER
}

async function write(store: EventStore, key: string, numbers: readonly number[]): Promise<void> {
  const outgoing = numbers.map((n) => ({ topic: 'storm.jobs', key, type: 'Job', data: { key, n } }))
  await store.appendToStream(
    key,
    numbers.map(() => ({ type: 'Added', data: { n: 1 } })),
    { outgoing },
  )
}

/** One comes and one goes every second; every seventh does not say goodbye. */
async function churn(storm: Storm) {
  const living: Child[] = []
  const endings: Promise<string | undefined>[] = []
  const counted = { joined: 0, left: 0, killed: 0 }
  const go = (member: Child | undefined) => {
    if (member === undefined) return
    const dies = (counted.left + counted.killed) % 7 === 6
    counted[dies ? 'killed' : 'left']++
    if (dies) member.process.kill('SIGKILL')
    else endings.push(leave(member))
  }
  for (let second = 0; second < storm.seconds; second++) {
    living.push(enter(storm))
    counted.joined++
    if (living.length > LIVING) go(living.shift())
    await new Promise((resolve) => setTimeout(resolve, SECOND_MS))
  }
  for (const member of living) go(member)
  const errors = (await Promise.all(endings)).filter((error) => error !== undefined)
  if (errors.length > 0) throw new Error(`members did not leave in good order: ${errors.join('\n')}`)
  return counted
}

/** The one that stays finishes what is left. */
async function calm(storm: Storm, events: number): Promise<void> {
  const endMs = performance.now() + storm.patienceMs
  while (performance.now() < endMs) {
    const { applied, handled } = await progressOf(storm)
    if (applied >= events && handled >= events) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function progressOf(storm: Storm): Promise<{ applied: number; handled: number }> {
  const rows = await rowsOf(storm)
  return { applied: rows.reduce((sum, [, count]) => sum + count, 0), handled: (await handledBy(storm)).length }
}

async function rowsOf({ views: path }: Storm): Promise<readonly (readonly [string, number])[]> {
  const views = await sqliteViews(path)
  try {
    const rows = await views.list(await views.openLive(counts().name, 1), {})
    return rows.map(({ key, row }) => [key, (row as { count: number }).count] as const)
  } finally {
    await views.close()
  }
}

interface Handled {
  readonly key: string
  readonly n: number
}

async function handledBy({ store }: Storm): Promise<readonly Handled[]> {
  const partitions = await store.partitionEnds('storm.jobs')
  const all: Handled[] = []
  for (const { partition } of partitions) {
    for await (const { data } of store.readStream<AnyEvent>(`handled:${partition}`))
      all.push(data as unknown as Handled)
  }
  return all
}

async function judge(storm: Storm, events: number): Promise<readonly string[]> {
  const rounds = events / TOGETHER
  const handled = await handledBy(storm)
  const counted = new Map(await rowsOf(storm))
  return Array.from({ length: Math.min(STREAMS, rounds) }, (_, stream) => {
    const key = `stream-${stream}`
    const expected = Math.ceil((rounds - stream) / STREAMS) * TOGETHER
    const numbers = handled.filter((each) => each.key === key).map(({ n }) => n)
    const wrong = numbers.findIndex((n, index) => n !== index)
    return [
      ...(counted.get(key) === expected ? [] : [`${key}: ${counted.get(key)} applied, not ${expected}`]),
      ...(numbers.length === expected ? [] : [`${key}: ${numbers.length} handled, not ${expected}`]),
      ...(wrong < 0 ? [] : [`${key}: job ${numbers[wrong]} was handled where job ${wrong} belongs`]),
    ]
  }).flat()
}
