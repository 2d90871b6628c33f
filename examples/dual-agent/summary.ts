import type { CallView, SessionView } from 'duolog/agents'
import type { Options } from './options.ts'
import type { TestResult } from './project-tests.ts'

/** The worker that was killed, and what it was at. */
export interface Kill {
  readonly pid: number
  readonly callId: string
}

/** What came of the run, as --json prints it. All of it is computed from the log, but for the tests and the clock. */
export interface Summary {
  /** What is not as promised; nothing, we hope. */
  readonly problems: readonly string[]
  readonly sessionId: string
  readonly log: string
  readonly workDir: string
  readonly status: SessionView['status']
  readonly workItems: SessionView['workItems']
  readonly calls: SessionView['calls']
  readonly approvals: SessionView['approvals']
  readonly budget?: SessionView['budget']
  readonly totals: SessionView['totals'] & { readonly events: number; readonly withdrawnWorkerCalls: number }
  readonly killed: (Kill & { readonly successor: string | null }) | null
  readonly projectTests: TestResult
  readonly durationMs: number
}

interface Findings {
  readonly options: Options
  readonly view: SessionView
  readonly tests: TestResult
  readonly kill: Kill | undefined
  readonly durationMs: number
}

export function summarize({ options, view, tests, kill, durationMs }: Findings): Summary {
  const { sessionId, workDir, status, reason, workItems, calls, approvals, budget, totals, version } = view
  const successor = calls.find((call) => call.predecessor === kill?.callId)?.callId ?? null
  const summary = {
    sessionId,
    log: options.log,
    workDir,
    status,
    workItems,
    calls,
    approvals,
    ...(budget && { budget }),
    totals: { ...totals, events: version, withdrawnWorkerCalls: workerCalls(calls, 'cancelled').length },
    killed: kill === undefined ? null : { ...kill, successor },
    projectTests: tests,
    durationMs,
  }
  const why = status === 'completed' || reason === undefined ? [] : [reason]
  return { problems: [...problemsOf(summary, options), ...why], ...summary }
}

/** Made, not merely planned: somebody had claimed it, and begun. */
function workerCalls(calls: readonly CallView[], status: string): CallView[] {
  const isMade = ({ owner, unbegun }: CallView) => owner !== undefined && !unbegun
  return calls.filter((call) => call.role === 'worker' && call.status === status && isMade(call))
}

/** Everything the demo claims, checked. */
function problemsOf(summary: Omit<Summary, 'problems'>, { resume, executor, approve, budgetUsd }: Options): string[] {
  const { status, totals, calls, projectTests, killed } = summary
  const inDoubt = workerCalls(calls, 'in-doubt').map((call) => call.callId)
  const expected = totals.accepted + totals.revisions + inDoubt.length + totals.withdrawnWorkerCalls
  const promises: [kept: boolean, otherwise: string][] = [
    [status === 'completed', `the session is ${status}`],
    [totals.accepted === totals.workItems, `${totals.accepted} of ${totals.workItems} work items were accepted`],
    [projectTests.green, `the project's tests are not green: ${projectTests.counts}`],
    [totals.workerCalls === expected, `${totals.workerCalls} worker calls were made, not ${expected}`],
    [doneOnce(calls), 'an attempt was done twice'],
    [resume || executor === 'claude' || totals.revisions > 0, 'the gate sent nothing back'],
    [resume || approve === 'no' || summary.approvals.some(isGiven), 'the plan was not approved'],
    [budgetUsd === undefined || (summary.budget?.usd ?? 0) <= budgetUsd, 'the budget was overrun'],
    [resume || killed !== null, 'no worker was killed'],
    [resume || (inDoubt.length === 1 && inDoubt[0] === killed?.callId), `in doubt is not the killed call: ${inDoubt}`],
  ]
  return promises.flatMap(([kept, otherwise]) => (kept ? [] : [otherwise]))
}

function isGiven({ subject, status }: SessionView['approvals'][number]): boolean {
  return subject === 'plan' && status === 'given'
}

function doneOnce(calls: readonly CallView[]): boolean {
  const done = workerCalls(calls, 'completed').map(({ workItemId, attempt }) => `${workItemId} ${attempt}`)
  return new Set(done).size === done.length
}
