import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Verdict, Violation, ViolationKind } from './check.ts'
import { type LogKind, Pool } from './children.ts'
import type { Kill, RawLog, Undisturbed } from './evidence.ts'
import { runSession, type SessionRan } from './run-session.ts'
import type { Scenario } from './scenario.ts'
import { runUndisturbed, verifyLog } from './verify.ts'

/* Many sessions, each killed and resumed to its end, two at a time; then everything they left behind is judged. */

export interface CampaignOptions {
  /** Names the sessions, and how to have them again. */
  readonly seed: string
  readonly scenarios: readonly Scenario[]
  readonly log: ChaosLog
  readonly parallel: number
  /** Leave the logs, journals and folders of the runs there. */
  readonly keep: boolean
  readonly onProgress: (text: string) => void
}

/** A place for logs, and a way to read them that owes nothing to the store. */
export interface ChaosLog {
  readonly kind: LogKind
  readonly leaseMs: number
  readonly patienceMs: number
  /** The URL of the log of this name; `dir` is the campaign's folder. */
  urlOf(name: string, dir: string): string
  readRaw(logUrl: string): Promise<RawLog>
}

export interface Failure {
  readonly run: number
  readonly sessionId: string
  readonly violations: readonly Violation[]
}

export interface Report {
  readonly log: LogKind
  readonly seed: string
  readonly runs: number
  readonly kills: number
  /** Kills by named point, and at random moments. */
  readonly byPoint: Readonly<Record<string, number>>
  readonly byRole: Readonly<Record<string, number>>
  readonly neverKilled: number
  readonly lost: number
  readonly repeatedSilently: number
  readonly unrecorded: number
  readonly notCompleted: number
  readonly inDoubt: number
  readonly doubtsOfLiving: number
  readonly executions: number
  /** From a kill to the session's next event: the median of the runs' longest waits, the longest of all, and whose. */
  readonly resumeMs: { readonly median: number; readonly longest: number; readonly longestRun?: number }
  readonly tookMs: number
  readonly failures: readonly Failure[]
  readonly evidence?: string
}

export interface Ran extends SessionRan {
  readonly scenario: Scenario
  readonly sessionId: string
  readonly logUrl: string
  readonly dir: string
  readonly undisturbed: Undisturbed
}

export async function runCampaign(options: CampaignOptions): Promise<{ report: Report; runs: readonly Judged[] }> {
  const startedAt = performance.now()
  const dir = await mkdtemp(join(tmpdir(), 'duolog-chaos-'))
  const ran = await runAll(options, dir)
  options.onProgress(`${ran.length} runs over; reading what they left behind`)
  const judged = await judgeAll(ran, options)
  const report = reportOf(judged, options, performance.now() - startedAt)
  const keep = options.keep || report.failures.length > 0
  if (!keep) await rm(dir, { recursive: true, force: true })
  return { report: { ...report, ...(keep && { evidence: dir }) }, runs: judged }
}

async function runAll(options: CampaignOptions, dir: string): Promise<Ran[]> {
  const pool = new Pool(options.log.kind, options.parallel)
  const typical = { local: new Typical(200), topics: new Typical(500) }
  const waiting = [...options.scenarios]
  const ran: Ran[] = []
  const lane = async () => {
    for (let scenario = waiting.shift(); scenario !== undefined; scenario = waiting.shift()) {
      const one = await runOne(scenario, { options, dir, pool, typicalMs: typical[scenario.mode].ms })
      typical[scenario.mode].note(one.tookMs / (one.kills.length + 1))
      ran.push(one)
      if (one.problem !== undefined) options.onProgress(`run ${scenario.run}: ${one.problem.split('\n')[0]}`)
      if (ran.length % 10 === 0) options.onProgress(progressOf(ran, options.scenarios.length))
    }
  }
  try {
    await Promise.all(Array.from({ length: options.parallel }, lane))
  } finally {
    await pool.close()
  }
  return ran
}

function progressOf(ran: readonly Ran[], runs: number): string {
  return `${ran.length} of ${runs} runs, ${ran.flatMap(({ kills }) => kills).length} kills`
}

interface Surroundings {
  readonly options: CampaignOptions
  readonly dir: string
  readonly pool: Pool
  readonly typicalMs: number
}

async function runOne(scenario: Scenario, { options, dir, pool, typicalMs }: Surroundings): Promise<Ran> {
  const { log, seed } = options
  const sessionId = `chaos-${seed}-${scenario.run}`
  const runDir = join(dir, `run-${scenario.run}`)
  await mkdir(join(runDir, 'undisturbed'), { recursive: true })
  const undisturbed = await runUndisturbed(scenario, join(runDir, 'undisturbed'))
  const logUrl = log.urlOf(scenario.ownLog ? `run-${scenario.run}` : 'shared', dir)
  const { leaseMs, patienceMs } = log
  const ran = await runSession({ pool, scenario, sessionId, logUrl, leaseMs, patienceMs, dir: runDir, typicalMs })
  return { ...ran, scenario, sessionId, logUrl, undisturbed, dir: runDir }
}

/** A running mean. */
class Typical {
  ms: number

  constructor(ms: number) {
    this.ms = ms
  }

  note(ms: number): void {
    this.ms += (ms - this.ms) / 5
  }
}

export interface Judged extends Ran {
  readonly verdict: Verdict
}

async function judgeAll(ran: readonly Ran[], { log }: CampaignOptions): Promise<Judged[]> {
  const judged: Judged[] = []
  for (const [logUrl, sessions] of Map.groupBy(ran, (one) => one.logUrl)) {
    const verdicts = await verifyLog(sessions, { logUrl, readRaw: (url) => log.readRaw(url) })
    for (const one of sessions) judged.push({ ...one, verdict: withProblem(verdicts.get(one.sessionId)!, one) })
  }
  return judged
}

function withProblem(verdict: Verdict, { problem }: SessionRan): Verdict {
  if (problem === undefined) return verdict
  return { ...verdict, violations: [{ kind: 'not-completed', what: problem }, ...verdict.violations] }
}

function reportOf(judged: readonly Judged[], { log, seed }: CampaignOptions, tookMs: number): Report {
  const kills = judged.flatMap((one) => one.kills)
  const sum = (pick: (verdict: Verdict) => number) => judged.reduce((total, { verdict }) => total + pick(verdict), 0)
  const runsWith = (kind: ViolationKind) => sum(({ violations }) => (violations.some((v) => v.kind === kind) ? 1 : 0))
  return {
    log: log.kind,
    seed,
    runs: judged.length,
    kills: kills.length,
    byPoint: counted(kills, ({ by }) => by),
    byRole: counted(kills, ({ role }) => role),
    neverKilled: judged.filter((one) => one.kills.length === 0).length,
    lost: runsWith('lost'),
    repeatedSilently: runsWith('repeated'),
    unrecorded: runsWith('unrecorded'),
    notCompleted: runsWith('not-completed'),
    inDoubt: sum(({ inDoubt }) => inDoubt),
    doubtsOfLiving: sum(({ doubtsOfLiving }) => doubtsOfLiving),
    executions: sum(({ executions }) => executions),
    resumeMs: resumes(judged),
    tookMs: Math.round(tookMs),
    failures: judged
      .filter(({ verdict }) => verdict.violations.length > 0)
      .map(({ scenario, sessionId, verdict }) => ({ run: scenario.run, sessionId, violations: verdict.violations })),
  }
}

function resumes(judged: readonly Judged[]): Report['resumeMs'] {
  const waits = judged
    .filter(({ kills }) => kills.length > 0)
    .map(({ scenario, verdict }) => ({ run: scenario.run, ms: verdict.longestResumeMs }))
    .sort((a, b) => a.ms - b.ms)
  const longest = waits.at(-1)
  if (longest === undefined) return { median: 0, longest: 0 }
  return { median: waits[Math.floor(waits.length / 2)]?.ms ?? 0, longest: longest.ms, longestRun: longest.run }
}

function counted(kills: readonly Kill[], name: (kill: Kill) => string): Record<string, number> {
  const groups = Map.groupBy(kills, name)
  return Object.fromEntries([...groups].map(([key, members]) => [key, members.length] as const).sort())
}
