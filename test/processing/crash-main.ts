/*
 * npm run crash:processing -- [--runs 200] [--seed S] [--log file|kafka] [--parallel 3] [--minutes 30]
 *
 * So many kills -9 of processes with a projection, a process manager and a processor, about five to a log, at any named
 * point and at any moment; each log is then judged. The last line of stdout is the report as JSON. Exit code 1:
 * something was lost or happened twice; 2: wrong usage, no broker, or the time was over before so many were killed.
 */

import { numberOf, oneOf, scriptOptions } from '../support/script-options.ts'
import { LOG_KINDS, withLogs } from './crash-logs.ts'
import { type CrashOutcome, dieAtRandom, KILLS_PER_LOG, type NewLog, randomFrom } from './crash-run.ts'

interface Campaign {
  readonly runs: number
  readonly seed: number
  readonly parallel: number
  readonly endMs: number
}

/** Log n of a seed dies the same deaths, whatever runs beside it (but for when the machine gets where). */
async function campaign(newLog: NewLog, { runs, seed, parallel, endMs }: Campaign): Promise<readonly CrashOutcome[]> {
  const outcomes: CrashOutcome[] = []
  let next = 0
  const killed = () => outcomes.reduce((sum, each) => sum + each.killed, 0)
  const lane = async () => {
    while (killed() < runs && Date.now() < endMs) {
      const number = next++
      const outcome = await dieAtRandom(newLog, randomFrom(seed + number), KILLS_PER_LOG)
      outcomes.push(outcome)
      for (const violation of outcome.violations) process.stderr.write(`log ${number}: ${violation}\n`)
      process.stderr.write(`${killed()} of ${runs} killed, ${outcomes.length} logs judged\n`)
    }
  }
  await Promise.all(Array.from({ length: parallel }, lane))
  return outcomes
}

async function main(): Promise<void> {
  const values = scriptOptions(import.meta.filename, {
    runs: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    log: { type: 'string', default: 'file' },
    parallel: { type: 'string', default: '3' },
    minutes: { type: 'string', default: '30' },
  })
  const [runs, seed] = [numberOf('runs', values.runs), numberOf('seed', values.seed)]
  const [parallel, minutes] = [numberOf('parallel', values.parallel), numberOf('minutes', values.minutes)]
  const endMs = Date.now() + minutes * 60_000
  process.stderr.write(`${runs} kills on ${values.log}, seed ${seed}\n`)
  const outcomes = await withLogs(oneOf('log', LOG_KINDS, values.log), (newLog) =>
    campaign(newLog, { runs, seed, parallel, endMs }),
  )
  const killed = outcomes.reduce((sum, each) => sum + each.killed, 0)
  const violations = outcomes.flatMap((each) => each.violations)
  process.stdout.write(`${JSON.stringify({ log: values.log, seed, logs: outcomes.length, killed, violations })}\n`)
  if (killed < runs) {
    process.stderr.write(`only ${killed} of ${runs} were killed in ${values.minutes} minutes\n`)
    process.exitCode = 2
  }
  if (violations.length > 0) process.exitCode = 1
}

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  process.exitCode = 2
})
