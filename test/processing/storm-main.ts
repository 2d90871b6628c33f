/*
 * npm run storm:processing -- [--seconds 60] [--events 50000] [--log file|kafka]
 *
 * The rebalance storm at length. The last line of stdout is the outcome as JSON. Exit code 1: something was lost, repeated
 * or out of order; 2: wrong usage, or no broker.
 */

import { numberOf, oneOf, scriptOptions } from '../support/script-options.ts'
import { LOG_KINDS, withLogs } from './crash-logs.ts'
import { stormOn } from './storm-run.ts'

async function main(): Promise<void> {
  const values = scriptOptions(import.meta.filename, {
    seconds: { type: 'string', default: '60' },
    events: { type: 'string', default: '50000' },
    log: { type: 'string', default: 'kafka' },
  })
  const [seconds, events] = [numberOf('seconds', values.seconds), numberOf('events', values.events)]
  const outcome = await withLogs(oneOf('log', LOG_KINDS, values.log), (newLog) =>
    stormOn(newLog, { seconds, events, patienceMs: 300_000 }),
  )
  process.stdout.write(`${JSON.stringify({ log: values.log, seconds, ...outcome })}\n`)
  if (outcome.violations.length > 0) process.exitCode = 1
}

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  process.exitCode = 2
})
