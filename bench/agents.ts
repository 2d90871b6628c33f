import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startBroker } from '../test/support/broker.ts'
import { RESULT_BYTES } from './agents/instant.ts'
import { openOurs } from './agents/ours.ts'
import { runPeers } from './agents/peers/run.ts'
import { buildPackage, killAndRestart } from './agents/restart.ts'
import { atOnce, longSession, oneByOne, overheadPerCall } from './agents/sessions.ts'
import { openFloor } from './embedded/floor.ts'
import { median, progress, type Result, round, timed } from './report.ts'

/*
 * npm run bench -- agents [--log file|kafka] [--sessions N] [--items N] [--part sessions|long|overhead|restarts]
 *
 * npm run bench -- agents --peers [langgraph,dbos,restate] [--quick]   (agents/peers/run.ts)
 *
 * What recording costs an agent's step: executors answer at once, results have 300 bytes, everything is synced (file) or
 * committed (Kafka) before it counts. Not shown: slow disks, other machines' networks, several brokers.
 */

const ROUNDS = 3

/** Of one backing. */
interface Goals {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly perSecond: number
  readonly restartMs: number
  readonly startMs: number
  readonly overheadMs: number
  readonly memoryMb: number
}

const goals: Readonly<Record<'file' | 'kafka', Goals>> = {
  file: { p50Ms: 1.5, p99Ms: 6, perSecond: 1_400, restartMs: 200, startMs: 300, overheadMs: 5, memoryMb: 120 },
  kafka: { p50Ms: 20, p99Ms: 40, perSecond: 700, restartMs: 5_000, startMs: 5_000, overheadMs: 25, memoryMb: 200 },
}

interface Plan {
  readonly log: 'file' | 'kafka'
  readonly goal: Goals
  /** A log of its own at each call. */
  readonly newLog: () => string
  /** Files of the log, of the file backing. */
  readonly bytesOf?: (url: string) => number
  readonly sessions: number
  readonly items: number
  /** Default: all. */
  readonly part?: string
}

type Size = Pick<Plan, 'sessions' | 'items' | 'part'>

export async function run(): Promise<readonly Result[]> {
  if (process.argv.includes('--peers')) return runPeers(process.argv.slice(3))
  const { values } = parseArgs({
    args: process.argv.slice(3),
    options: {
      log: { type: 'string', default: 'file' },
      sessions: { type: 'string', default: '1000' },
      items: { type: 'string', default: '5000' },
      part: { type: 'string' },
    },
  })
  const { part } = values
  const size = { sessions: Number(values.sessions), items: Number(values.items), ...(part !== undefined && { part }) }
  return values.log === 'kafka' ? onKafka(size) : onFile(size)
}

async function onFile(size: Size): Promise<readonly Result[]> {
  const folder = mkdtempSync(join(tmpdir(), 'duolog-bench-agents-'))
  const newLog = () => `file:${join(folder, `${randomUUID()}.db`)}`
  try {
    return await measure({ log: 'file', goal: goals.file, newLog, bytesOf: (url) => filesOf(folder, url), ...size })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function filesOf(folder: string, url: string): number {
  const name = url.slice(url.lastIndexOf('/') + 1)
  const files = readdirSync(folder).filter((file) => file.startsWith(name))
  return files.reduce((sum, file) => sum + statSync(join(folder, file)).size, 0)
}

async function onKafka(size: Size): Promise<readonly Result[]> {
  const broker = await startBroker()
  const newLog = () => `kafka://${broker.address}/?prefix=bench-${randomUUID()}.`
  try {
    return await measure({ log: 'kafka', goal: goals.kafka, newLog, ...size })
  } finally {
    await broker.stop()
  }
}

async function measure(plan: Plan): Promise<readonly Result[]> {
  const { log, goal, part } = plan
  const memory = () =>
    below('memory of this process after that (rss)', memoryMb(), 'MB', goal.memoryMb, `the ${log} log`)
  const parts: Readonly<Record<string, () => Promise<Result[]>>> = {
    sessions: () => shortSessions(plan),
    long: () => longSessions(plan),
    overhead: () => overhead(plan),
    memory: async () => [memory()],
    restarts: () => restarts(plan),
  }
  const results: Result[] = []
  for (const [name, run] of Object.entries(parts)) {
    if (part === undefined || part === name || name === 'memory') results.push(...(await run()))
  }
  return results
}

/** What the disk and the machine give at the moment: one row, one transaction, synced. */
async function floorMs(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'duolog-bench-floor-'))
  const floor = openFloor(join(folder, 'floor.db'))
  const latencies: number[] = []
  for (let n = 0; n < 200; n++) latencies.push(await timed(() => floor.append('floor', 1)))
  await floor.close()
  rmSync(folder, { recursive: true, force: true })
  return median(latencies)
}

async function shortSessions({ newLog, goal, log }: Plan): Promise<Result[]> {
  const ours = await openOurs(newLog())
  const scale = log === 'file' ? 1 : 0.25
  const floor: number[] = []
  const [alone, together]: [Awaited<ReturnType<typeof oneByOne>>[], Awaited<ReturnType<typeof atOnce>>[]] = [[], []]
  // Round 0 warms up and does not count.
  for (let number = 0; number <= ROUNDS; number++) {
    progress(`sessions of 3 steps, round ${number} of ${ROUNDS}`)
    if (log === 'file') floor.push(await floorMs())
    const one = await oneByOne(ours, 200 * scale)
    const many = await atOnce(ours, { callers: 50, each: 12 * scale })
    if (number === 0) continue
    alone.push(one)
    together.push(many)
  }
  await ours.close()
  const steps = 'plan, work, review: 3 recorded steps, 300-byte results'
  return [
    ...(log === 'file'
      ? [
          {
            name: 'one append of raw node:sqlite, synced, p50',
            value: round(median(floor)),
            unit: 'ms',
            against: 'the floor, in the same rounds',
          },
        ]
      : []),
    below('session of 3 steps, p50', median(alone.map((each) => each.p50Ms)), 'ms', goal.p50Ms, steps),
    below('session of 3 steps, p99', median(alone.map((each) => each.p99Ms)), 'ms', goal.p99Ms, steps),
    ...commits(log, 'one session at a time', median(alone.map((each) => each.commitsPer100Steps))),
    above('50 sessions at once', median(together.map((each) => each.perSecond)), 'sessions/s', goal.perSecond, steps),
    ...commits(log, '50 sessions at once', median(together.map((each) => each.commitsPer100Steps))),
  ]
}

function commits(log: Plan['log'], name: string, value: number): Result[] {
  if (log === 'kafka') return []
  return [{ name: `${name}: commits`, value: round(value), unit: 'per 100 steps', against: 'each is one sync' }]
}

async function longSessions(plan: Plan): Promise<Result[]> {
  const url = plan.newLog()
  const ours = await openOurs(url)
  await longSession(ours, 500)
  const few: number[] = []
  const middle: number[] = []
  for (let number = 1; number <= ROUNDS; number++) {
    progress(`sessions of 10 and 1,000 items, round ${number} of ${ROUNDS}`)
    few.push(await mean(30, () => longSession(ours, 10)))
    if (number <= 1 || plan.log === 'file') middle.push(await longSession(ours, Math.min(1_000, plan.items)))
  }
  await ours.close()
  progress(`session of ${plan.items} items`)
  const longUrl = plan.newLog()
  const long = await openOurs(longUrl)
  const many = await longSession(long, plan.items)
  await long.close()
  const against = 'one after the other, each item is two steps (work, review)'
  const ratio = many / median(few)
  return [
    below('step, 10 items', median(few), 'ms', 0.4, against),
    below('step, 1,000 items', median(middle), 'ms', 0.4, against),
    below(`step, ${plan.items} items`, many, 'ms', 0.4, against),
    below(`step, ${plan.items} items / 10 items`, ratio, 'ratio', 1.1, 'the same at 10'),
    ...diskOf(plan, longUrl),
  ]
}

async function mean(times: number, work: () => Promise<number>): Promise<number> {
  let sum = 0
  for (let n = 0; n < times; n++) sum += await work()
  return sum / times
}

function diskOf({ bytesOf, items }: Plan, url: string): Result[] {
  if (bytesOf === undefined) return []
  const share = bytesOf(url) / (items * 2 * RESULT_BYTES)
  return [below('disk / bytes of the results', share, 'ratio', 10, `${items * 2} results of ${RESULT_BYTES} bytes`)]
}

async function overhead({ newLog, sessions, goal }: Plan): Promise<Result[]> {
  progress(`${sessions} sessions of 5 items, executor of 5 ms`)
  const { p50Ms, perSecond } = await overheadPerCall(newLog(), sessions)
  const against = `${sessions} sessions × 5 items, 50 at once, executor of 5 ms, ${round(perSecond)} calls/s`
  return [below('overhead per call, p50', p50Ms, 'ms', goal.overheadMs, against)]
}

async function restarts({ newLog, goal, log }: Plan): Promise<Result[]> {
  buildPackage()
  progress('kill -9 and restart')
  const short = await killAndRestart(newLog(), 20)
  progress('kill -9 and restart after 5,000 steps')
  const long = await killAndRestart(newLog(), log === 'file' ? 5_000 : 1_000)
  const said = ({ steps, again }: typeof short) => `after ${steps} steps; ${again} in doubt made again`
  return [
    below('kill -9, restart at once → next new step', short.msToNextStep, 'ms', goal.restartMs, said(short)),
    below(
      `kill -9, restart → next new step, ${long.steps} steps recorded`,
      long.msToNextStep,
      'ms',
      goal.startMs,
      said(long),
    ),
  ]
}

function memoryMb(): number {
  return process.memoryUsage().rss / 1e6
}

function below(name: string, value: number, unit: string, goal: number, against: string): Result {
  return { name, value: round(value), unit, goal: `<= ${goal}`, met: value <= goal, against }
}

function above(name: string, value: number, unit: string, goal: number, against: string): Result {
  return { name, value: round(value), unit, goal: `>= ${goal}`, met: value >= goal, against }
}
