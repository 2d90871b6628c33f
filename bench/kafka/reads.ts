import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { progress, type Result, round } from '../report.ts'
import type { PartTask } from './plan.ts'
import { SESSION_EVENTS, sessionsOf } from './reads-log.ts'
import type { ReadsMeasured, ReadsTask } from './reads-program.ts'

/*
 * Reading: a session among many others, and a process that has to read the whole log first. 1,000,000 events is the size
 * the goals are written for.
 */

const READS = 1000

export async function measure({ brokers, driver, prefix, events: size, quick }: PartTask): Promise<readonly Result[]> {
  const reads = quick ? READS / 5 : READS
  const sessions = sessionsOf(size)
  const task = { brokers, driver, prefix, sessions, sessionEvents: SESSION_EVENTS, reads }
  const directory = await mkdtemp(join(tmpdir(), 'duolog-bench-replica-'))
  try {
    const inFile = await measureIn({ ...task, directory }, 'replica in a file')
    const inMemory = await measureIn(task, 'replica in memory')
    return [...resultsOf(inFile, size, 'in a file'), ...resultsOf(inMemory, size, 'in memory')]
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function measureIn(task: ReadsTask, what: string): Promise<ReadsMeasured> {
  progress(`  ${what}`)
  const program = fileURLToPath(new URL('./reads-program.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [program, JSON.stringify(task)])
  return JSON.parse(stdout)
}

function resultsOf(measured: ReadsMeasured, size: number, where: string): readonly Result[] {
  const { coldMs, eventualMs, linearizableMs, foldedPerSecond, peakMb, takeoverMs, restartMs } = measured
  const cold = (size * 1000) / coldMs
  const log = `${size} events, replica ${where}`
  const session = `a session of ${SESSION_EVENTS} among ${log}`
  const least = (name: string, value: number, unit: string, goal: number): Result => {
    return { name, value: round(value), unit, goal: `>= ${goal}`, met: value >= goal, against: 'nothing' }
  }
  const below = (name: string, value: number, unit: string, goal: number): Result => {
    return { name, value: round(value), unit, goal: `< ${goal}`, met: value < goal, against: 'nothing' }
  }
  const shown = (name: string, value: number, unit: string): Result => {
    return { name, value: round(value), unit, against: 'nothing' }
  }
  return [
    least(`cold index of ${log}`, cold, 'records/s', 100_000),
    shown(`${session}, eventual: p50`, eventualMs[0], 'ms'),
    below(`${session}, eventual: p99`, eventualMs[1], 'ms', 5),
    shown(`${session}, linearizable: p50`, linearizableMs[0], 'ms'),
    below(`${session}, linearizable: p99`, linearizableMs[1], 'ms', 15),
    least(`fold, ${log}`, foldedPerSecond, 'events/s', 300_000),
    where === 'in a file' ? below(`memory, ${log}`, peakMb, 'MB', 300) : shown(`memory, ${log}`, peakMb, 'MB'),
    shown(`first append of a process that has read, ${log}`, takeoverMs, 'ms'),
    shown(`opened again and one session read, ${log}`, restartMs, 'ms'),
  ]
}
