import type { AgentPurpose, AgentRole, FailedBecause } from '../executor.ts'
import type { SessionEventData } from './schemas.ts'
import type { SessionSettings } from './settings.ts'
import type { StateMap } from './state-map.ts'
import type { Tally } from './tally.ts'

/** Where a session stands; `unborn` has no event yet. */
export type SessionStatus = 'unborn' | 'planning' | 'running' | 'paused' | 'completed' | 'failed' | 'cancelled'

/** Who makes a call. */
export type CallRole = AgentRole | 'gate'
/** What a call is for; gates are calls of our own. */
export type CallPurpose = AgentPurpose | 'gate'
/** From reservation to outcome. `in-doubt`: claimed by an owner that died before it reported. */
export type CallStatus = 'reserved' | 'claimed' | 'completed' | 'failed' | 'cancelled' | 'in-doubt'

/** One effect on the outside world, from its reservation to its one outcome (P7). */
export interface CallState {
  readonly callId: string
  readonly role: CallRole
  readonly purpose: CallPurpose
  readonly workItemId?: string
  readonly gateId?: string
  readonly attempt: number
  readonly try: number
  readonly predecessor?: string
  readonly resume?: string
  readonly model?: string
  readonly timeoutMs: number
  readonly reservedUsd?: number
  readonly reservedTokens?: number
  readonly reservedTurns?: number
  readonly promptVersion?: number | string
  readonly status: CallStatus
  /** Made by the session this one was forked from: paid there, not here. */
  readonly inherited?: true
  /** Set by the claim; a report must carry it (P8). */
  readonly epoch: number
  readonly owner?: string
  readonly resolution?: 'retry' | 'resume' | 'fail'
  readonly retryable: boolean
  /** How many of its predecessors failed or answered unusably; crashes and cancellations do not count. */
  readonly failures: number
  /** Its agent gave no sign of life for so long. */
  readonly stalledMs?: number
  /** Its owner reported after losing the claim. */
  readonly lateReport?: true
  readonly costUsd: number
  /** It ended and nobody knows what it cost: budgets count its reservation. */
  readonly costUnknown?: true
  readonly durationMs?: number
  /** Without the answer itself once that has been used: it is in the log. */
  readonly result?: Omit<SessionEventData['AgentCallCompleted'], 'callId' | 'epoch' | 'requestDigest' | 'output'> & {
    readonly output?: string
  }
  readonly requestDigest?: string
  /** How often tools were used within it. */
  readonly toolCalls?: number
  /** Claimed, but its executor was never started. */
  readonly unbegun?: true
  readonly error?: { readonly code: string; readonly message: string }
  readonly because?: FailedBecause
  /** Of a failed call: what it had used, and when another try makes sense. ISO time. */
  readonly usage?: SessionEventData['AgentCallFailed']['usage']
  readonly retryAt?: string
  readonly notBefore?: string
}

/** Something a person was asked to approve. */
export interface ApprovalState {
  readonly approvalId: string
  readonly subject: SessionEventData['ApprovalRequested']['subject']
  readonly workItemId?: string
  readonly input: string
  /** `revised`: neither accepted nor refused, but sent back once more. */
  readonly status: 'requested' | 'given' | 'denied' | 'revised'
  readonly reason?: string
  /** ISO time. */
  readonly expiresAt?: string
  readonly onTimeout?: 'deny' | 'approve' | 'escalate'
  /** It was not answered in time, and waits on. */
  readonly escalated?: true
  readonly by?: 'person' | 'timeout'
}

/** Where a work item stands. */
export type WorkItemStatus = 'planned' | 'working' | 'checking' | 'reviewing' | 'accepted' | 'failed' | 'blocked'

/** What a gate said about the current attempt. */
export type GateOutcome = Pick<
  SessionEventData['QualityGateResult'],
  'gateId' | 'mandatory' | 'passed' | 'score' | 'minScore' | 'label' | 'explanation' | 'evidence'
>
/** Where the gates of one attempt at a work item stand, or of one look at a session's result. */
export interface GateRound {
  readonly attempt: number
  readonly gateCallIds: ReadonlyMap<string, string>
  readonly gates: ReadonlyMap<string, GateOutcome>
  /** What was wrong with the answer of a reviewer asked for a gate. */
  readonly gateErrors: ReadonlyMap<string, readonly string[]>
}
/** What the Manager said about the current attempt. */
export type ReviewVerdict = Pick<
  SessionEventData['TaskReviewed'],
  'approved' | 'qualityScore' | 'feedback' | 'recommendations'
>

/** A work item folded from its events. */
export interface WorkItemState extends GateRound {
  readonly id: string
  readonly title: string
  readonly description: string
  readonly acceptanceCriteria: readonly string[]
  readonly priority: number
  readonly estimatedEffort?: number
  readonly dependencies: readonly string[]
  readonly status: WorkItemStatus
  /** Attempts begun; 0 before the first assignment. */
  readonly attempt: number
  readonly revisions: number
  /** Revisions a person granted beyond `maxRevisions`, and what that person said. */
  readonly grantedRevisions: number
  readonly grantedFeedback: readonly string[]
  /** What the next attempt has to mend. */
  readonly feedback: readonly string[]
  /** The newest calls of the current attempt: their fate decides what happens next. */
  readonly workCallId?: string
  readonly reviewCallId?: string
  readonly review?: ReviewVerdict
  /** What the changes of the next attempt are compared to. */
  readonly workBase?: string
  readonly reviewErrors: readonly string[]
  readonly qualityScore?: number
  readonly reason?: string
  readonly blockedBy?: readonly string[]
}

/** Whose wall clock it is: the whole session's, or that of one role in it. */
export type TimeScope = 'session' | AgentRole

/** A session folded from its events. */
export interface SessionState {
  readonly status: SessionStatus
  readonly phase: SessionEventData['WorkflowStateUpdated']['phase']
  readonly task: string
  readonly workDir: string
  readonly settings: SessionSettings
  /** Who runs it now, or ran it last. */
  readonly owner: string
  /** Of a fork: which session's history it goes on from, and up to which event. */
  readonly forkedFrom?: { readonly sessionId: string; readonly version: number }
  readonly planned: boolean
  readonly planCallId?: string
  readonly strategy: string
  readonly planErrors: readonly string[]
  readonly planRejections: number
  /** In the order of the plan. */
  readonly workItems: StateMap<string, WorkItemState>
  /** In the order of their reservation. */
  readonly calls: StateMap<string, CallState>
  /** What the calls of each role have cost, and what is held for them. */
  readonly tallies: Readonly<Record<AgentRole, Tally>>
  /** The gates that judge the session's result; `attempt` counts the looks at it. */
  readonly sessionGates: GateRound
  /** Reserved, running, or in doubt and unresolved: what still needs somebody. */
  readonly openCallIds: ReadonlySet<string>
  /** Counts claims over the whole session; the next claim gets the next number. */
  readonly lastEpoch: number
  readonly refusedReports: number
  /** In the order of their requests. */
  readonly approvals: StateMap<string, ApprovalState>
  /** Requested and not answered. */
  readonly pendingApprovalIds: ReadonlySet<string>
  /** ISO time. */
  readonly startedAt?: string
  /** Set while the next call does not fit into the budget. */
  readonly budgetExceeded?: SessionEventData['BudgetExceeded']
  /** Whose time is up: no call of theirs begins until they are given more. */
  readonly timeIsUp?: Readonly<Partial<Record<TimeScope, true>>>
  /** Until when a rate limit holds back the calls of a role. ISO time. */
  readonly parkedUntil?: Readonly<Partial<Record<AgentRole, string>>>
  readonly reason?: string
  /** Of a paused session: running calls are to be stopped. */
  readonly stopsCalls?: true
}

/** Another process has gone on with this session: whoever ran it before begins nothing more of it. */
export function isTakenFrom(owner: string, { settings, owner: now, status }: SessionState): boolean {
  return status !== 'unborn' && settings.dispatch === 'local' && now !== owner
}

/** Nothing will happen to it any more. */
export function isEnded({ status }: { readonly status: string }): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled'
}

/** Reserved or running. */
export function isOpen(call: CallState): boolean {
  return call.status === 'reserved' || call.status === 'claimed'
}

/** In doubt, and nobody has said yet what is to become of it. */
export function isUnresolved(call: CallState): boolean {
  return call.status === 'in-doubt' && call.resolution === undefined
}

/** Open calls of a kind, oldest first. */
export function openCalls(state: SessionState, is: (call: CallState) => boolean): CallState[] {
  return [...state.openCallIds].map((callId) => state.calls.get(callId)!).filter(is)
}

export const isReserved = (call: CallState): boolean => call.status === 'reserved'
export const isClaimed = (call: CallState): boolean => call.status === 'claimed'

export function pendingApprovals(state: SessionState): ApprovalState[] {
  return [...state.pendingApprovalIds].map((approvalId) => state.approvals.get(approvalId)!)
}

/** Nothing moves until a person has resolved a call in doubt, approved something, or raised the budget. */
export function isWaiting(state: SessionState): boolean {
  const needsSomebody =
    state.openCallIds.size > 0 || state.budgetExceeded !== undefined || pendingApprovals(state).length > 0
  return !isEnded(state) && needsSomebody && openCalls(state, isOpen).length === 0
}

/** A call that completed but had to be asked again answered unusably: that counts like a failure. One that met a limit does not. */
export function failuresUpTo({ failures, status, because }: CallState): number {
  return failures + ((status === 'failed' && because === undefined) || status === 'completed' ? 1 : 0)
}

export function callById(state: Pick<SessionState, 'calls'>, callId: string | undefined): CallState | undefined {
  return callId === undefined ? undefined : state.calls.get(callId)
}

export function itemById(state: SessionState, workItemId: string): WorkItemState {
  const item = state.workItems.get(workItemId)
  if (item === undefined) throw new Error(`The log names work item "${workItemId}", which this session does not have`)
  return item
}
