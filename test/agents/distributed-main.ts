/*
 * npm run distributed -- [--sessions 200] [--log file|kafka] [--seed S] [--rounds 3] [--keep]
 *
 * Sessions shared by three workers, a manager and a coordinator, which are killed, added and removed while they run.
 * Progress goes to stderr; the last line of stdout is the report as JSON. Exit code 1: something ran twice at one time,
 * unsaid, or did not complete; 2: wrong usage.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { countOf, oneOf, scriptOptions } from '../support/script-options.ts'
import { runDistributed } from './distributed.ts'

const values = scriptOptions(import.meta.filename, {
  sessions: { type: 'string', default: '200' },
  log: { type: 'string', default: 'file' },
  seed: { type: 'string', default: Date.now().toString(36) },
  rounds: { type: 'string', default: '3' },
  keep: { type: 'boolean', default: false },
})

const log = oneOf('log', ['file', 'kafka'], values.log)
const [sessions, rounds] = [countOf('sessions', values.sessions), countOf('rounds', values.rounds)]
const say = (line: string) => void process.stderr.write(`${line}\n`)

async function openLog(dir: string): Promise<{ logUrl: string; close(): Promise<void> }> {
  if (log === 'file') return { logUrl: `file:${join(dir, 'log.db')}`, close: async () => {} }
  const { startBroker } = await import('../support/broker.ts')
  const broker = await startBroker()
  const prefix = `distributed-${process.pid}-${Date.now().toString(36)}.`
  return { logUrl: `kafka://${broker.address}/?prefix=${prefix}`, close: () => broker.stop() }
}

async function run(): Promise<boolean> {
  const { seed } = values
  const dir = await mkdtemp(join(tmpdir(), 'duolog-distributed-'))
  const { logUrl, close } = await openLog(dir)
  say(`seed ${seed}, in ${dir}`)
  try {
    const report = await runDistributed({
      logUrl,
      sessions,
      seed,
      rounds,
      dir,
      patienceMs: 60_000,
      say,
    })
    process.stdout.write(`${JSON.stringify({ log, ...report })}\n`)
    return report.violations.length === 0 && report.completed === sessions
  } finally {
    await close()
    if (!values.keep) await rm(dir, { recursive: true, force: true, maxRetries: 5 })
  }
}

if (!(await run())) process.exitCode = 1
