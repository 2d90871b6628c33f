import { progress, type Result, round } from '../report.ts'
import type { Figures } from './measured.ts'

/* Figures of a contender as rows of the report, with the goals where it is ours. */

interface Row {
  readonly name: string
  readonly unit: string
  readonly against: string
  /** Ours in a file, and on Kafka; `least`: more is better. */
  readonly goal?: { readonly file?: number; readonly kafka?: number; readonly least?: boolean }
}

const STEP = 'a step answers at once with 300 bytes'

/** `long.5000.msPerStep` and the like: by length. */
const byLength = (steps: string): Row => ({
  name: `step of a session of ${steps}`,
  unit: 'ms',
  against: STEP,
  goal: { file: 0.4 },
})
const flat = (steps: string): Row => ({
  name: `step of a session of ${steps} / of 10`,
  unit: 'ratio',
  against: 'its own, at 10',
  goal: { file: 1.1, kafka: 1.1 },
})

/** `overhead.50.p50Ms`: by how many sessions run at once. */
const overhead = (atOnce: string): Row => ({
  name: `overhead per call with ${atOnce} sessions at once, p50`,
  unit: 'ms',
  against: 'sessions of 5 work items, an agent of 5 ms',
  goal: { file: 5, kafka: 25 },
})
const calls = (atOnce: string): Row => ({
  name: `calls with ${atOnce} sessions at once`,
  unit: 'calls/s',
  against: `the agents alone could make ${Number(atOnce) * 200}`,
})

const rows: Readonly<Record<string, Row>> = {
  'syncs.per100': {
    name: 'syncs per 100 steps, sessions of 3, one at a time',
    unit: 'syncs',
    against: 'fsync and fdatasync as strace sees them, of the server where there is one',
    goal: { file: 105 },
  },
  'syncs.together': {
    name: 'syncs per 100 steps, sessions of 3, 50 at once',
    unit: 'syncs',
    against: 'the same',
    goal: { file: 105 },
  },
  'syncs.long': {
    name: 'syncs per 100 steps, a session of 1,000',
    unit: 'syncs',
    against: 'the same',
    goal: { file: 105 },
  },
  'alone.p50Ms': { name: 'session of 3 steps, p50', unit: 'ms', against: STEP, goal: { file: 1.5, kafka: 20 } },
  'alone.p99Ms': { name: 'session of 3 steps, p99', unit: 'ms', against: STEP, goal: { file: 6, kafka: 40 } },
  'together.perSecond': {
    name: '50 sessions at once',
    unit: 'sessions/s',
    against: 'each of 3 steps; the goal is the one with group commit',
    goal: { file: 2_000, kafka: 700, least: true },
  },
  'disk.times': {
    name: 'disk / bytes of the results, longest session',
    unit: 'ratio',
    against: 'write-ahead logs included',
    goal: { file: 10 },
  },
  'kill.killToNextMs': {
    name: 'kill -9, restart at once → next new step',
    unit: 'ms',
    against: 'as it comes: no setting made for it',
    goal: { file: 200, kafka: 5_000 },
  },
  'kill.again': {
    name: 'steps run again after that kill',
    unit: 'steps',
    against: 'before the first new one',
    goal: { file: 1, kafka: 1 },
  },
  'kill.shown': { name: 'of them said to be in doubt', unit: 'steps', against: 'what the contender says itself' },
  'restart.startToNextMs': {
    name: 'process start → next new step',
    unit: 'ms',
    against: 'so many steps recorded as the longest session',
    goal: { file: 300, kafka: 5_000 },
  },
  'memory.mb': {
    name: 'memory of the worker after all (rss)',
    unit: 'MB',
    against: STEP,
    goal: { file: 120, kafka: 200 },
  },
  'memory.server': { name: 'memory of its server (pss)', unit: 'MB', against: STEP },
}

export type Log = 'file' | 'kafka'

/** Says them as well: a bench that is cut off has told what it had. `log`: the contender is ours, and held to the goals of that log. */
export function resultsOf(contender: string, figures: Figures, log?: Log): Result[] {
  const results: Result[] = []
  for (const [key, value] of withRatios(figures)) {
    const row = rowOf(key)
    if (row === undefined) continue
    const { name, unit, against } = row
    const result = { name: `${contender}: ${name}`, value: round(value), unit, against, ...judged(value, row, log) }
    progress(`  ${result.name}: ${result.value} ${unit}`)
    results.push(result)
  }
  return results
}

function rowOf(key: string): Row | undefined {
  const [, steps, what] = /^long\.(\d+)\.(\w+)$/.exec(key) ?? []
  const [, atOnce, figure] = /^overhead\.(\d+)\.(\w+)$/.exec(key) ?? []
  if (atOnce !== undefined) return figure === 'p50Ms' ? overhead(atOnce) : calls(atOnce)
  if (steps === undefined) return rows[key]
  if (what === 'flat') return flat(steps)
  return what === 'msPerStep' ? byLength(steps) : undefined
}

function withRatios(figures: Figures): Figures {
  const all: Figures = new Map(figures)
  const short = figures.get('long.10.msPerStep')
  for (const [key, value] of figures) {
    const [, steps] = /^long\.(\d+)\.msPerStep$/.exec(key) ?? []
    if (steps !== undefined && steps !== '10' && short !== undefined) all.set(`long.${steps}.flat`, value / short)
  }
  return all
}

function judged(value: number, { goal }: Row, log?: Log): Pick<Result, 'goal' | 'met'> {
  const limit = log && goal?.[log]
  if (limit === undefined) return {}
  return goal?.least ? { goal: `>= ${limit}`, met: value >= limit } : { goal: `<= ${limit}`, met: value <= limit }
}

/** Of a contender that could not be measured here. */
export function skipped(contender: string, why: string): Result {
  return { name: contender, value: Number.NaN, unit: '', against: `skipped: ${why}` }
}
