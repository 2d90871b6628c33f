import { sumOfUsage } from '../call-facts.ts'
import type { AgentUsage, ModelUsage } from '../executor.ts'
import { type PaidPurpose, type Spending, spendingOf } from './budget.ts'
import type { Budget } from './budget-settings.ts'
import { notBeforeOf } from './parking.ts'
import type { SessionEventData } from './schemas.ts'
import { type DoubtPolicy, doubtPolicies } from './settings.ts'
import {
  type ApprovalState,
  type CallState,
  type GateOutcome,
  isEnded,
  isWaiting,
  type SessionState,
  type WorkItemState,
} from './state.ts'

/** A session as people and programs are shown it (`duolog show --json`). Plain JSON. */
export interface SessionView {
  readonly sessionId: string
  readonly status: 'planning' | 'running' | 'waiting' | 'paused' | 'completed' | 'failed' | 'cancelled'
  /** Of its last event. */
  readonly version: number
  readonly task: string
  /** analysis, planning, execution, integration, validation or completion. */
  readonly phase: string
  readonly workDir: string
  /** The process that runs it, or did last. */
  readonly owner: string
  /** Of a fork: where it comes from. Its totals count only what it did itself. */
  readonly forkedFrom?: { readonly sessionId: string; readonly version: number }
  /** Who makes the calls: the process that runs the session, or services. */
  readonly dispatch: 'local' | 'topics'
  /** What becomes of a call nobody knows the outcome of, by purpose. */
  readonly inDoubt: { readonly [Purpose in PaidPurpose]: DoubtPolicy }
  /** Why it waits, is paused, has failed or was cancelled. */
  readonly reason?: string
  readonly workItems: readonly WorkItemView[]
  readonly calls: readonly CallView[]
  /** What a person was asked, with the answers. */
  readonly approvals: readonly ApprovalState[]
  /** What the gates of the session said of its result. */
  readonly gates: readonly GateOutcome[]
  readonly budget?: BudgetView
  readonly totals: SessionTotals
}

/** A session's money as it is shown. */
export interface BudgetView extends Spending, Pick<Budget, 'maxTurns' | 'maxWallClockMs' | 'roles' | 'pool'> {
  readonly maxUsd?: number
  readonly maxCalls?: number
  readonly maxTokens?: number
  /** Why the session waits for money. */
  readonly exceeded?: SessionEventData['BudgetExceeded']
}

/** A work item as it is shown. */
export interface WorkItemView {
  readonly id: string
  readonly title: string
  readonly status: string
  /** How often its work was begun. */
  readonly attempts: number
  readonly revisions: number
  readonly priority: number
  readonly dependencies: readonly string[]
  /** What the gates said of the current attempt. */
  readonly gates: readonly GateOutcome[]
  readonly costUsd: number
  /** Of its last review, 0 to 1. */
  readonly qualityScore?: number
  readonly reason?: string
}

/** A call as it is shown. */
export interface CallView {
  readonly callId: string
  readonly role: string
  readonly purpose: string
  readonly workItemId?: string
  readonly attempt: number
  readonly try: number
  readonly status: string
  /** Of a running call: its agent has given no sign of life for so long, milliseconds. */
  readonly stalledMs?: number
  /** Of an open call that a limit holds back: it begins then. ISO time. */
  readonly notBefore?: string
  /** Made, and paid, by the session this one was forked from. */
  readonly inherited?: true
  readonly costUsd: number
  /** It ended and nobody knows what it cost; a budget counts what it had reserved. */
  readonly costUnknown?: true
  /** It was claimed, and stopped before its executor was started: no call was made. */
  readonly unbegun?: true
  /** The call that this one is made again for. */
  readonly predecessor?: string
  /** What became of it when it was in doubt: retry, resume or fail. */
  readonly resolution?: string
  readonly owner?: string
  /** Milliseconds from its claim to its report. */
  readonly durationMs?: number
  readonly error?: string
  /** Which wording the agent was asked with. */
  readonly promptVersion?: number | string
  /** sha256 over the canonical JSON of what the agent was asked. */
  readonly requestDigest?: string
  readonly usage?: CallState['usage']
  /** How often it used tools; which ones stands in its `AgentToolCalled` events. */
  readonly toolCalls?: number
}

/** Sums over a session. */
export interface SessionTotals {
  readonly workItems: number
  readonly accepted: number
  readonly revisions: number
  /** Calls made, those in doubt among them; gates are commands of ours and cost no call. */
  readonly workerCalls: number
  readonly managerCalls: number
  readonly gateRuns: number
  readonly inDoubtCalls: number
  /** Late reports of claims that were lost. */
  readonly refusedReports: number
  readonly costUsd: number
  /** What calls reported: tokens, turns, and all of it per model. Nothing when none did. */
  readonly usage?: UsageView
}

/** What calls used together. */
export interface UsageView extends Omit<AgentUsage, 'models'> {
  readonly models?: { readonly [model: string]: ModelUsage & { readonly calls: number } }
}

export function sessionView(sessionId: string, state: SessionState, version: number): SessionView {
  const calls = [...state.calls.values()]
  const own = calls.filter((call) => !call.inherited)
  return {
    sessionId,
    status: shownStatus(state),
    version,
    task: state.task,
    phase: state.phase,
    workDir: state.workDir,
    owner: state.owner,
    ...(state.forkedFrom === undefined ? {} : { forkedFrom: state.forkedFrom }),
    dispatch: state.settings.dispatch,
    inDoubt: doubtPolicies(state.settings),
    ...(state.reason === undefined ? {} : { reason: state.reason }),
    workItems: [...state.workItems.values()].map((item) => workItemView(item, own)),
    calls: calls.map((call) => callView(call, notBeforeOf(state, call))),
    approvals: [...state.approvals.values()],
    gates: [...state.sessionGates.gates.values()],
    ...(showsMoney(state) ? { budget: budgetView(state, state.settings.budget ?? {}) } : {}),
    totals: totalsOf(state, own),
  }
}

/** Also without a budget a call may have stopped at its own. */
function showsMoney({ settings, budgetExceeded }: SessionState): boolean {
  return settings.budget !== undefined || budgetExceeded !== undefined
}

function budgetView(state: SessionState, { maxUsd, maxCalls, maxTokens, ...more }: Partial<Budget>): BudgetView {
  const { maxTurns, maxWallClockMs, roles, pool } = more
  return {
    ...spendingOf(state),
    ...optional({ maxTurns, maxWallClockMs, roles, pool }),
    ...(maxUsd === undefined ? {} : { maxUsd }),
    ...(maxCalls === undefined ? {} : { maxCalls }),
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(state.budgetExceeded === undefined ? {} : { exceeded: state.budgetExceeded }),
  }
}

export function shownStatus(state: SessionState): SessionView['status'] {
  if (state.status === 'unborn') return 'planning'
  if (isEnded(state) || state.status === 'paused') return state.status
  return isWaiting(state) ? 'waiting' : state.status
}

function workItemView(item: WorkItemState, calls: readonly CallState[]): WorkItemView {
  const { id, title, status, attempt, revisions, priority, dependencies, qualityScore } = item
  const reason = item.reason ?? (item.blockedBy && `blocked by ${item.blockedBy.join(', ')}`)
  return {
    id,
    title,
    status,
    attempts: attempt,
    revisions,
    priority,
    dependencies,
    gates: [...item.gates.values()],
    costUsd: costOf(calls.filter((call) => call.workItemId === id)),
    ...(qualityScore === undefined ? {} : { qualityScore }),
    ...(reason === undefined ? {} : { reason }),
  }
}

function callView(call: CallState, notBefore: string | undefined): CallView {
  const { callId, role, purpose, workItemId, attempt, status, costUsd, predecessor, resolution, owner, durationMs } =
    call
  return {
    callId,
    role,
    purpose,
    ...(workItemId === undefined ? {} : { workItemId }),
    attempt,
    try: call.try,
    status,
    ...(status === 'claimed' && call.stalledMs !== undefined && { stalledMs: call.stalledMs }),
    ...(call.inherited === undefined ? {} : { inherited: call.inherited }),
    costUsd,
    ...(predecessor === undefined ? {} : { predecessor }),
    ...(resolution === undefined ? {} : { resolution }),
    ...(owner === undefined ? {} : { owner }),
    ...(durationMs === undefined ? {} : { durationMs }),
    ...(call.error === undefined ? {} : { error: call.error.message }),
    ...optional({
      promptVersion: call.promptVersion,
      requestDigest: call.requestDigest,
      costUnknown: unknownCost(call),
    }),
    ...optional({ usage: usageOf(call), toolCalls: call.toolCalls, notBefore, unbegun: call.unbegun }),
  }
}

/** Of what never began it is known; a call in doubt shows by its status. */
function unknownCost({ costUnknown, unbegun, epoch }: CallState): true | undefined {
  return unbegun || epoch === 0 ? undefined : costUnknown
}

function optional<T extends object>(fields: T): { [Name in keyof T]?: NonNullable<T[Name]> } {
  const known: { [Name in keyof T]?: T[Name] } = {}
  for (const name of Object.keys(fields) as (keyof T)[]) if (fields[name] !== undefined) known[name] = fields[name]
  return known as { [Name in keyof T]?: NonNullable<T[Name]> }
}

function totalsOf(state: SessionState, calls: readonly CallState[]): SessionTotals {
  const items = [...state.workItems.values()]
  const made = (role: CallState['role']) =>
    calls.filter((call) => call.role === role && call.epoch > 0 && !call.unbegun).length
  return {
    workItems: items.length,
    accepted: items.filter((item) => item.status === 'accepted').length,
    revisions: items.reduce((sum, item) => sum + item.revisions, 0),
    workerCalls: made('worker'),
    managerCalls: made('manager'),
    gateRuns: made('gate'),
    inDoubtCalls: calls.filter((call) => call.status === 'in-doubt').length,
    refusedReports: state.refusedReports,
    costUsd: costOf(calls),
    ...optional({ usage: totalUsage(calls) }),
  }
}

function usageOf(call: CallState): CallState['usage'] {
  return call.result?.usage ?? call.usage
}

function totalUsage(calls: readonly CallState[]): UsageView | undefined {
  const used = calls.flatMap((call) => (usageOf(call) as AgentUsage | undefined) ?? [])
  const total = used.reduce<AgentUsage | undefined>(sumOfUsage, undefined)
  if (total?.models === undefined) return total as UsageView | undefined
  const callsOf = (model: string) => used.filter(({ models }) => models?.[model] !== undefined).length
  const models = Object.entries(total.models).map(([model, of]) => [model, { calls: callsOf(model), ...of }])
  return { ...total, models: Object.fromEntries(models) }
}

/** Micro-dollars while adding, so that ten calls of 0.1 cost 1. */
function costOf(calls: readonly CallState[]): number {
  return calls.reduce((sum, call) => sum + Math.round(call.costUsd * 1e6), 0) / 1e6
}
