import { type Result, round } from '../../report.ts'
import type { Figures } from './measured.ts'

/* Figures of a contender as rows of the report. */

const STEPS = 'step at once, 300-byte result'

const names: Readonly<Record<string, readonly [name: string, unit: string, against: string]>> = {
  'syncs.per100': ['syncs', 'per 100 steps', 'fsync and fdatasync seen by strace, of the server where there is one'],
  'commits.per100': ['commits', 'per 100 steps', 'counted in the process; each is one sync'],
  'alone.p50Ms': ['session of 3 recorded steps, p50', 'ms', STEPS],
  'alone.p99Ms': ['session of 3 recorded steps, p99', 'ms', STEPS],
  'together.perSecond': ['50 sessions at once', 'sessions/s', STEPS],
  'disk.times': ['disk / bytes of the results', 'ratio', 'write-ahead logs included'],
  'kill.killToNextMs': ['kill -9, restart at once → next new step', 'ms', 'as it comes: no setting made for it'],
  'kill.again': [
    'steps run again after that kill',
    'steps',
    'seen again in the second process before the first new one',
  ],
  'restart.startToNextMs': ['process start → next new step', 'ms', 'so many steps recorded as the longest session'],
  'memory.mb': ['memory of the worker after the sessions (rss)', 'MB', STEPS],
  'memory.server': ['memory of its server (pss)', 'MB', STEPS],
}

export function resultsOf(contender: string, figures: Figures): Result[] {
  const results: Result[] = []
  for (const [key, value] of figures) {
    const long = /^long\.(\d+)\.msPerStep$/.exec(key)
    const [name, unit, against] = long ? [`step of ${long[1]}`, 'ms', STEPS] : (names[key] ?? [])
    if (name !== undefined && unit !== undefined && against !== undefined) {
      results.push({ name: `${contender}: ${name}`, value: round(value), unit, against })
    }
  }
  return results
}

/** Of a contender that could not be measured here. */
export function skipped(contender: string, why: string): Result {
  return { name: contender, value: Number.NaN, unit: '', against: `skipped: ${why}` }
}
