/*
 * npm run chaos -- [--runs 200] [--seed S] [--log file|kafka] [--only N] [--topics PERCENT] [--parallel 2] [--keep] [--json]
 *
 * Kills the processes of many sessions at named points and at random moments, resumes them, and judges what they left
 * behind. Progress goes to stderr; the last line of stdout is the report as JSON. Exit code 1: something was lost,
 * repeated silently, unrecorded or not completed; 2: wrong usage.
 */
import { parseArgs } from 'node:util'
import { type ChaosLog, type Report, runCampaign } from './campaign.ts'
import type { LogKind } from './children.ts'
import { fileLog } from './file-log.ts'
import { listenForAllPoints } from './points.ts'

const usage =
  'usage: npm run chaos -- [--runs 200] [--seed S] [--log file|kafka] [--only N] [--topics PERCENT] [--json]'

function readOptions() {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string' },
      seed: { type: 'string', default: Date.now().toString(36) },
      log: { type: 'string', default: 'file' },
      only: { type: 'string' },
      topics: { type: 'string', default: '25' },
      parallel: { type: 'string', default: '2' },
      keep: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  })
  const log: LogKind | undefined = values.log === 'file' || values.log === 'kafka' ? values.log : undefined
  if (log === undefined) throw new Error(`--log: must be file or kafka, not ${values.log}`)
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
  throw new Error(`--${name}: must be a whole number, not ${text}`)
}

async function openLog(kind: LogKind): Promise<{ log: ChaosLog; close(): Promise<void> }> {
  if (kind === 'file') return { log: fileLog, close: async () => {} }
  const { startKafkaLog } = await import('./kafka-log.ts')
  return startKafkaLog()
}

function explain(report: Report): string {
  const { seed, log, failures, evidence } = report
  const lines = failures.flatMap(({ run, sessionId, violations }) => [
    `run ${run} (${sessionId}):`,
    ...violations.map(({ kind, what }) => `  ${kind}: ${what}`),
    `  again: npm run chaos -- --log ${log} --seed ${seed} --only ${run}`,
  ])
  return [...lines, ...(evidence ? [`what they left behind: ${evidence}`] : [])].join('\n')
}

async function main(): Promise<void> {
  const options = readOptions()
  const say = (text: string) => void process.stderr.write(`${text}\n`)
  say(`chaos on ${options.log}, ${options.runs.length} runs, seed ${options.seed}`)
  const { log, close } = await openLog(options.log)
  try {
    const points = await listenForAllPoints(log)
    say(`points: ${[...new Set(Object.values(points).flatMap(Object.keys))].sort().join(', ')}`)
    const report = await runCampaign({ ...options, log, points, onProgress: say })
    say(explain(report))
    process.stdout.write(`${JSON.stringify(report, null, options.json ? 0 : 2)}\n`)
    if (report.failures.length > 0) process.exitCode = 1
  } finally {
    await close()
  }
}

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${usage}\n`)
  process.exitCode = 2
})
