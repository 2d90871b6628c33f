import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { silentLogger } from '../src/core/logger.ts'
import { connectKafkajs } from '../src/kafka/drivers/kafkajs.ts'
import type { EventStore } from '../src/store/event-store.ts'
import { openEventStore } from '../src/store/open-event-store.ts'
import { startBroker } from '../test/support/broker.ts'
import { type TimersFired, timersDueAtOnce } from './processing/timers.ts'
import { atLeastOnce, eventHeaders, exactlyOnce, fill } from './processing/transform.ts'
import { rebuildSpeed, visibleAfter } from './processing/visible.ts'
import { median, oneOf, progress, type Result, round, settle } from './report.ts'

/* What stands on the log costs. Everything, the broker too, shares this machine's cores. */

export const usage = `npm run bench -- processing [--log file|kafka] [--part visible|rebuild|timers|transform]

Without flags all parts on both logs (transforming on Kafka only); progress on stderr, one JSON object at the end.
  visible    from an append to the view that shows it, at 200/s and 5,000/s
  rebuild    events a second into a view in SQLite
  timers     10,000 events heard, each by a process that sets a timer, and all timers due at once
  transform  consume, transform and append exactly once, beside the same driver at least once`

const TIMERS = 10_000
const ROUNDS = 3

const LOGS = ['file', 'kafka'] as const
const PARTS = ['visible', 'rebuild', 'timers', 'transform'] as const

type Part = (typeof PARTS)[number]
type Wanted = (part: Part) => boolean

export async function run(args: readonly string[]): Promise<readonly Result[]> {
  const { values } = parseArgs({ args: [...args], options: { log: { type: 'string' }, part: { type: 'string' } } })
  const log = oneOf('--log', values.log, LOGS)
  const part = oneOf('--part', values.part, PARTS)
  const wanted: Wanted = (name) => part === undefined || part === name
  const folder = mkdtempSync(join(tmpdir(), 'duolog-bench-'))
  try {
    return [
      ...(log === 'kafka' ? [] : await onFile(folder, wanted)),
      ...(log === 'file' ? [] : await onKafka(folder, wanted)),
    ]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function onFile(folder: string, wanted: Wanted): Promise<readonly Result[]> {
  const open = (name: string) => openEventStore(`file:${join(folder, name)}`)
  const results: Result[] = []
  if (wanted('visible')) {
    const measure = async (store: EventStore) => {
      await warmUp(store, folder, 'file')
      return measureVisible(store, folder, 'file', [30, 30])
    }
    results.push(...(await withStore(await open('visible.db'), measure)))
  }
  if (wanted('rebuild')) {
    results.push(...(await withStore(await open('rebuild.db'), (store) => measureRebuild(store, folder, 'file'))))
  }
  if (wanted('timers')) results.push(...(await measureTimers((round) => open(`timers-${round}.db`), 'file')))
  return results
}

async function onKafka(folder: string, wanted: Wanted): Promise<readonly Result[]> {
  const broker = await startBroker({ asShipped: true })
  const inner = mkdtempSync(join(folder, 'kafka-'))
  const open = (prefix = `bench-${randomUUID()}.`) => openEventStore(`kafka://${broker.address}/?prefix=${prefix}`)
  const results: Result[] = []
  try {
    results.push(
      ...(await withStore(await open(), async (store) => {
        await warmUp(store, inner, 'kafka')
        return wanted('visible') ? measureVisible(store, inner, 'kafka', [50, 100]) : []
      })),
    )
    if (wanted('rebuild')) {
      results.push(...(await withStore(await open(), (store) => measureRebuild(store, inner, 'kafka'))))
    }
    if (wanted('transform')) results.push(...(await measureTransform(broker.address.split(','), open)))
    if (wanted('timers')) results.push(...(await measureTimers(() => open(), 'kafka')))
    return results
  } finally {
    await broker.stop()
  }
}

/** The goal was set for the file; on Kafka the same view, for comparison. */
async function measureRebuild(store: EventStore, folder: string, log: string): Promise<Result[]> {
  progress(`${log}: rebuild`)
  const speeds = await rebuildSpeed(store, folder, ROUNDS)
  const speed = median(speeds)
  const goal = log === 'file' ? { goal: '>= 100,000', met: speed >= 100_000 } : {}
  const against = `200,000 events of 100 streams, in batches; median of ${speeds.map(round).join(', ')}`
  return [{ name: `${log}: rebuild in SQLite`, value: round(speed), unit: 'events/s', ...goal, against }]
}

async function withStore<T>(store: EventStore, work: (store: EventStore) => Promise<T>): Promise<T> {
  try {
    await settle()
    return await work(store)
  } finally {
    await store.close()
  }
}

/**
 * A broker that was just started is slow for a while, and so is this process; it does not count. On two cores Java's compiler is at
 * work for most of a minute: 8 s of its time in the 20 s after 15 s of load, 3 s after 45.
 */
const WARM_UP = { file: { perSecond: 5_000, seconds: 15 }, kafka: { perSecond: 5_000, seconds: 45 } } as const
const RATES = [
  { perSecond: 200, seconds: 17 },
  { perSecond: 5_000, seconds: 17 },
] as const

async function warmUp(store: EventStore, folder: string, log: 'file' | 'kafka'): Promise<void> {
  progress(`${log}: warming up`)
  await visibleAfter(store, folder, WARM_UP[log])
}

async function measureVisible(
  store: EventStore,
  folder: string,
  log: 'file' | 'kafka',
  goals: readonly [number | undefined, number | undefined],
): Promise<Result[]> {
  const results: Result[] = []
  for (const [index, load] of RATES.entries()) {
    progress(`${log}: append to visible at ${load.perSecond}/s`)
    const { p50Ms, p99Ms } = await visibleAfter(store, folder, load)
    const name = `${log}: append → visible in a view at ${load.perSecond}/s`
    const goalMs = goals[index]
    const goal = goalMs === undefined ? {} : { goal: `< ${goalMs} ms`, met: p99Ms < goalMs }
    results.push({ name: `${name}: p50`, value: p50Ms, unit: 'ms', against: 'nothing' })
    results.push({ name: `${name}: p99`, value: p99Ms, unit: 'ms', ...goal, against: 'nothing' })
  }
  return results
}

/** Each round on a log of its own; round 0 warms up and does not count. */
async function measureTimers(open: (round: number) => Promise<EventStore>, log: string): Promise<Result[]> {
  const rounds: TimersFired[] = []
  for (let number = 0; number <= ROUNDS; number++) {
    progress(`${log}: ${TIMERS} timers, round ${number}`)
    const fired = await withStore(await open(number), (store) => timersDueAtOnce(store, TIMERS))
    if (number > 0) rounds.push(fired)
  }
  const times = rounds.map(({ firedMs }) => firedMs)
  const ms = median(times)
  const speeds = rounds.map(({ heardPerSecond }) => heardPerSecond)
  const heard = `its start included; each by a process of its own; median of ${speeds.map(round).join(', ')}`
  const fired = `the last fired; median of ${times.map(round).join(', ')}`
  const goal = { goal: '< 2,000 ms', met: ms < 2_000 }
  return [
    { name: `${log}: a process manager hears`, value: round(median(speeds)), unit: 'events/s', against: heard },
    { name: `${log}: 10,000 timers due at once`, value: round(ms), unit: 'ms', ...goal, against: fired },
  ]
}

async function measureTransform(brokers: readonly string[], open: (prefix: string) => Promise<EventStore>) {
  progress('kafka: consume, transform, append')
  const driver = await connectKafkajs({ brokers, clientId: 'bench', logger: silentLogger, connectTimeoutMs: 10_000 })
  const prefix = `bench-${randomUUID()}.`
  const rounds: { once: number; bare: number; same: number }[] = []
  await withStore(await open(prefix), async (store) => {
    await fill(store)
    // Round 0 warms up and does not count.
    for (let number = 0; number <= ROUNDS; number++) {
      const bare = await atLeastOnce(driver, `${prefix}in`, () => ({ ce_type: 'Out', ce_id: randomUUID() }))
      const same = await atLeastOnce(driver, `${prefix}in`, eventHeaders)
      const once = await exactlyOnce(store)
      if (number > 0) rounds.push({ once, bare, same })
    }
  })
  await driver.close()
  const name = 'kafka: consume, transform, append exactly once'
  const compared = (plain: 'bare' | 'same', records: string): Result => {
    const ratio = median(rounds.map((each) => each.once / each[plain]))
    const speed = round(median(rounds.map((each) => each[plain])))
    const against = `fetch, produce ${records}, commit with the same driver: ${speed}/s`
    return { name, value: round(ratio), unit: '×', goal: '>= 0.5 × at least once', met: ratio >= 0.5, against }
  }
  return [
    { name, value: round(median(rounds.map(({ once }) => once))), unit: 'records/s', against: 'nothing' },
    compared('bare', 'records with two headers'),
    compared('same', "records with an event's headers"),
  ]
}
