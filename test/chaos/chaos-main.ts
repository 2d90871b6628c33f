/*
 * npm run chaos -- [--runs 200] [--seed S] [--log file|kafka] [--only N] [--topics 25] [--parallel 2] [--keep] [--json]
 * npm run chaos -- --every-point [--log file|kafka] [--only N]
 *
 * Kills the processes of many sessions at named points and at random moments, resumes them, and judges what they left
 * behind; with --every-point, once at the first and once at the last reaching of each point by each kind of process.
 * --topics: percent of the runs that have manager, worker and coordinator as processes of their own. Progress goes to stderr; the last line of stdout is the report as JSON. Exit code 1: something was lost,
 * repeated silently, unrecorded or not completed; 2: wrong usage.
 */

import { oneOf, scriptOptions, wrongUsage } from '../support/script-options.ts'
import { type ChaosLog, type Report, runCampaign } from './campaign.ts'
import type { LogKind } from './children.ts'
import { fileLog } from './file-log.ts'
import { everyPoint, listenForAllPoints } from './points.ts'
import { scenarioOf } from './scenario.ts'

const usage =
  'usage: npm run chaos -- [--every-point] [--runs 200] [--seed S] [--log file|kafka] [--only N] [--topics 25] [--json]'

function readOptions() {
  const values = scriptOptions(import.meta.filename, {
    runs: { type: 'string' },
    seed: { type: 'string', default: Date.now().toString(36) },
    log: { type: 'string', default: 'file' },
    only: { type: 'string' },
    topics: { type: 'string', default: '25' },
    parallel: { type: 'string', default: '2' },
    'every-point': { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  })
  const log: LogKind = oneOf('log', ['file', 'kafka'], values.log)
  const runs = whole('runs', values.runs ?? (log === 'file' ? '200' : '40'))
  return {
    ...values,
    log,
    runs: values.only ? [whole('only', values.only)] : Array.from({ length: runs }, (_, index) => index + 1),
    topicsPercent: whole('topics', values.topics),
    parallel: whole('parallel', values.parallel),
  }
}

function whole(name: string, text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text)
  return wrongUsage(`--${name}: must be a whole number, not ${text}`)
}

async function openLog(kind: LogKind): Promise<{ log: ChaosLog; close(): Promise<void> }> {
  if (kind === 'file') return { log: fileLog, close: async () => {} }
  const { startKafkaLog } = await import('./kafka-log.ts')
  return startKafkaLog()
}

function explain(report: Report, more: string): string {
  const { seed, log, failures, evidence } = report
  const lines = failures.flatMap(({ run, sessionId, violations }) => [
    `run ${run} (${sessionId}):`,
    ...violations.map(({ kind, what }) => `  ${kind}: ${what}`),
    `  again: npm run chaos -- --log ${log} --seed ${seed} --only ${run}${more}`,
  ])
  return [...lines, ...(evidence ? [`what they left behind: ${evidence}`] : [])].join('\n')
}

async function main(): Promise<void> {
  const options = readOptions()
  const say = (text: string) => void (options.json || process.stderr.write(`${text}\n`))
  const { log, close } = await openLog(options.log)
  try {
    const points = await listenForAllPoints(log)
    say(`points: ${[...new Set(Object.values(points).flatMap(Object.keys))].sort().join(', ')}`)
    const scenarios = options['every-point']
      ? everyPoint(points)
      : options.runs.map((run) => scenarioOf({ ...options, run, points }))
    const chosen = scenarios.filter(({ run }) => options.only === undefined || run === Number(options.only))
    say(`chaos on ${options.log}, ${chosen.length} runs, seed ${options.seed}`)
    const { report } = await runCampaign({ ...options, scenarios: chosen, log, onProgress: say })
    say(explain(report, options['every-point'] ? ' --every-point' : ''))
    process.stdout.write(`${JSON.stringify(report)}\n`)
    if (report.failures.length > 0) process.exitCode = 1
  } finally {
    await close()
  }
}

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${usage}\n`)
  process.exitCode = 2
})
