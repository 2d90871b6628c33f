import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startBroker } from '../test/support/broker.ts'
import { type Contest, contend, type Plan, quick, whole } from './agents/contend.ts'
import { chosen, runPeers } from './agents/peers/run.ts'
import { type Log, resultsOf } from './agents/rows.ts'
import { build, fileSite, kafkaSite, repository } from './agents/sites.ts'
import { openFloor } from './embedded/floor.ts'
import { median, oneOf, progress, type Result, round, timed } from './report.ts'

/*
 * What recording costs an agent's step. Every figure is of a process begun for it, on data of its own, with the built
 * package; medians of three rounds.
 */

export const usage = `npm run bench -- agents [--log file|kafka] [--only recorded-steps|whole-sessions] [--quick]
  [--peers [langgraph,dbos,restate]]

Ours in two forms; progress on stderr, one JSON object at the end.
  recorded-steps  what the peers do and no more
  whole-sessions  the coordinator's: each call reserved, claimed and reported
--peers: beside them in the same run, installed from npm for it. --quick: says whether it runs, not how fast.`

export const notShown = [
  'one machine for the agents, the log and its server; a fast local disk; settings as they come for development',
  'networks between machines, several brokers, replication',
  'agents that take their time, but for the overhead per call',
]

const forms = ['recorded-steps', 'whole-sessions'] as const

export async function run(args: readonly string[]): Promise<readonly Result[]> {
  const { log, only, peers, plan } = asked(args)
  const root = mkdtempSync(join(tmpdir(), 'duolog-bench-agents-'))
  try {
    build()
    const ours = { plan, root, forms: forms.filter((form) => only === undefined || form === only) }
    const results = log === 'kafka' ? await onKafka(ours) : [await floor(root), ...(await onFile(ours))]
    return [...results, ...(await runPeers(peers, plan, root))]
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

/** `--peers` may stand alone. */
function asked(args: readonly string[]) {
  const next = args[args.indexOf('--peers') + 1]
  const given = args.includes('--peers') && (next === undefined || next.startsWith('--'))
  const { values } = parseArgs({
    args: args.map((arg) => (given && arg === '--peers' ? '--peers=' : arg)),
    options: {
      log: { type: 'string', default: 'file' },
      only: { type: 'string' },
      peers: { type: 'string' },
      quick: { type: 'boolean', default: false },
    },
  })
  const log: Log = oneOf('--log', values.log, ['file', 'kafka']) ?? 'file'
  const peers = values.peers === undefined ? [] : chosen(values.peers)
  return { log, only: oneOf('--only', values.only, forms), peers, plan: values.quick ? quick : whole }
}

interface Ours {
  readonly plan: Plan
  readonly root: string
  readonly forms: readonly (typeof forms)[number][]
}

async function onFile({ plan, root, forms }: Ours): Promise<Result[]> {
  const results: Result[] = []
  for (const form of forms)
    results.push(...(await measured(form, 'file', { plan, open: fileSite(at(root, form), 'file:') })))
  return results
}

async function onKafka({ plan, root, forms }: Ours): Promise<Result[]> {
  const broker = await startBroker({ asShipped: true })
  try {
    const results: Result[] = []
    for (const form of forms) {
      const open = kafkaSite(at(root, form), broker)
      results.push(...(await measured(form, 'kafka', { plan, open, countSyncs: false })))
    }
    return results
  } finally {
    await broker.stop()
  }
}

const at = (root: string, form: string) => ({ root, form, packages: repository })

async function measured(form: string, log: Log, contest: Contest): Promise<Result[]> {
  progress(`duolog, ${form}, ${log}`)
  const figures = await contend({ ...contest, withOverhead: form === 'whole-sessions' })
  return resultsOf(`duolog, ${form}, ${log}`, figures, log)
}

/** What the disk and the machine give at the moment: one row, one transaction, synced. */
async function floor(root: string): Promise<Result> {
  const floor = openFloor(join(root, 'floor.db'))
  const latencies: number[] = []
  for (let n = 0; n < 400; n++) latencies.push(await timed(() => floor.append('floor', 1)))
  await floor.close()
  return {
    name: 'one append of raw node:sqlite, synced, p50',
    value: round(median(latencies)),
    unit: 'ms',
    against: 'the floor',
  }
}
