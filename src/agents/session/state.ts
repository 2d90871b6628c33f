import type { AgentPurpose, AgentRole } from '../executor.ts'
import type { SessionEventData } from './schemas.ts'
import type { SessionSettings } from './settings.ts'

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
  readonly status: CallStatus
  /** Set by the claim; a report must carry it (P8). */
  readonly epoch: number
  readonly owner?: string
  readonly resolution?: 'retry' | 'resume' | 'fail'
  readonly retryable: boolean
  /** How many of its predecessors failed or answered unusably; crashes and cancellations do not count. */
  readonly failures: number
  /** Its owner reported after losing the claim. */
  readonly lateReport?: true
  readonly costUsd: number
  readonly durationMs?: number
  readonly result?: Omit<SessionEventData['AgentCallCompleted'], 'callId' | 'epoch'>
  readonly error?: { readonly code: string; readonly message: string }
  /** Of a failed call: what it had used, and when another try makes sense. ISO time. */
  readonly usage?: { readonly inputTokens?: number | undefined; readonly outputTokens?: number | undefined }
  readonly retryAt?: string
  readonly notBefore?: string
}

/** Something a person was asked to approve. */
export interface ApprovalState {
  readonly approvalId: string
  readonly subject: 'plan' | 'work-item' | 'completion'
  readonly workItemId?: string
  readonly input: string
  readonly status: 'requested' | 'given' | 'denied'
  readonly reason?: string
}

/** Where a work item stands. */
export type WorkItemStatus = 'planned' | 'working' | 'checking' | 'reviewing' | 'accepted' | 'failed' | 'blocked'

/** What a gate said about the current attempt. */
export type GateOutcome = Pick<
  SessionEventData['QualityGateResult'],
  'gateId' | 'mandatory' | 'passed' | 'score' | 'explanation' | 'evidence'
>
/** What the Manager said about the current attempt. */
export type ReviewVerdict = Pick<
  SessionEventData['TaskReviewed'],
  'approved' | 'qualityScore' | 'feedback' | 'recommendations'
>

/** A work item folded from its events. */
export interface WorkItemState {
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
  /** What the next attempt has to mend. */
  readonly feedback: readonly string[]
  /** The newest calls of the current attempt: their fate decides what happens next. */
  readonly workCallId?: string
  readonly reviewCallId?: string
  readonly gateCallIds: ReadonlyMap<string, string>
  readonly gates: ReadonlyMap<string, GateOutcome>
  readonly review?: ReviewVerdict
  readonly reviewErrors: readonly string[]
  readonly qualityScore?: number
  readonly reason?: string
  readonly blockedBy?: readonly string[]
}

/** A session folded from its events. */
export interface SessionState {
  readonly status: SessionStatus
  readonly phase: SessionEventData['WorkflowStateUpdated']['phase']
  readonly task: string
  readonly workDir: string
  readonly settings: SessionSettings
  /** Who runs it now, or ran it last. */
  readonly owner: string
  readonly planned: boolean
  readonly planCallId?: string
  readonly strategy: string
  readonly planErrors: readonly string[]
  readonly planRejections: number
  /** In the order of the plan. */
  readonly workItems: ReadonlyMap<string, WorkItemState>
  /** In the order of their reservation. */
  readonly calls: ReadonlyMap<string, CallState>
  /** Reserved, running, or in doubt and unresolved: what still needs somebody. */
  readonly openCallIds: ReadonlySet<string>
  /** Counts claims over the whole session; the next claim gets the next number. */
  readonly lastEpoch: number
  readonly refusedReports: number
  /** In the order of their requests. */
  readonly approvals: ReadonlyMap<string, ApprovalState>
  /** Set while the next call does not fit into the budget. */
  readonly budgetExceeded?: SessionEventData['BudgetExceeded']
  readonly reason?: string
}

export function isEnded(state: SessionState): boolean {
  return state.status === 'completed' || state.status === 'failed' || state.status === 'cancelled'
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
  return [...state.approvals.values()].filter(({ status }) => status === 'requested')
}

/** Nothing moves until a person has resolved a call in doubt, approved something, or raised the budget. */
export function isWaiting(state: SessionState): boolean {
  const needsSomebody =
    state.openCallIds.size > 0 || state.budgetExceeded !== undefined || pendingApprovals(state).length > 0
  return !isEnded(state) && needsSomebody && openCalls(state, isOpen).length === 0
}

/** A call that completed but had to be asked again answered unusably: that counts like a failure. */
export function failuresUpTo(call: CallState): number {
  return call.failures + (call.status === 'failed' || call.status === 'completed' ? 1 : 0)
}

export function callById(state: SessionState, callId: string | undefined): CallState | undefined {
  return callId === undefined ? undefined : state.calls.get(callId)
}

export function itemById(state: SessionState, workItemId: string): WorkItemState {
  const item = state.workItems.get(workItemId)
  if (item === undefined) throw new Error(`The log names work item "${workItemId}", which this session does not have`)
  return item
}
