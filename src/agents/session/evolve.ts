import type { SessionEvent, SessionEventData, SessionEventName } from './schemas.ts'
import { budgetSchema, settingsSchema } from './settings.ts'
import {
  type ApprovalState,
  type CallState,
  failuresUpTo,
  isOpen,
  isUnresolved,
  itemById,
  type SessionState,
  type WorkItemState,
} from './state.ts'

/* P1: every function here is pure; state is never changed, only replaced. */

export function initialSessionState(): SessionState {
  return {
    status: 'unborn',
    phase: 'analysis',
    task: '',
    workDir: '',
    settings: settingsSchema.parse({}),
    owner: '',
    planned: false,
    strategy: '',
    planErrors: [],
    planRejections: 0,
    workItems: new Map(),
    calls: new Map(),
    openCallIds: new Set(),
    lastEpoch: 0,
    refusedReports: 0,
    approvals: new Map(),
  }
}

type Evolve<Name extends SessionEventName> = (state: SessionState, data: SessionEventData[Name]) => SessionState

const evolvers: { [Name in SessionEventName]: Evolve<Name> } = {
  SessionCreated: (state, { task, workDir, settings, owner }) => ({
    ...state,
    status: 'planning',
    task,
    workDir,
    settings,
    owner,
  }),
  WorkflowStateUpdated: (state, { phase }) => ({ ...state, phase }),
  PlanProposed: (state, { strategy }) => ({ ...state, status: 'running', planned: true, strategy, planErrors: [] }),
  PlanRejected: (state, { errors }) => ({ ...state, planErrors: errors, planRejections: state.planRejections + 1 }),
  WorkItemCreated: (state, data) => withItem(state, newWorkItem(data)),
  TaskAssigned: (state, { workItemId, attempt, callId }) =>
    changeItem(state, workItemId, (item) => ({ ...startAttempt(item, attempt), workCallId: callId })),
  AgentCallReserved: (state, data) => linkCall(withCall(affordable(state, data), newCall(state, data)), data),
  AgentCallClaimed: (state, { callId, epoch, owner }) => ({
    ...changeCall(state, callId, { status: 'claimed', epoch, owner }),
    lastEpoch: epoch,
  }),
  AgentCallCompleted: (state, { callId, epoch: _, ...result }) =>
    changeCall(state, callId, {
      status: 'completed',
      costUsd: result.costUsd,
      durationMs: result.durationMs,
      result,
    }),
  AgentCallFailed: (state, { callId, epoch: _, executorSessionId: __, ...outcome }) =>
    changeCall(state, callId, { status: 'failed', ...definedOnly(outcome) } as Partial<CallState>),
  AgentCallCancelled: (state, { callId }) => changeCall(state, callId, { status: 'cancelled' }),
  AgentCallInDoubt: (state, { callId }) => changeCall(state, callId, { status: 'in-doubt' }),
  AgentCallResolved: (state, { callId, resolution }) => changeCall(goOn(state), callId, { resolution }),
  AgentCallReportRefused: (state, { callId, costUsd }) => ({
    ...changeCall(state, callId, { lateReport: true, costUsd: (state.calls.get(callId)?.costUsd ?? 0) + costUsd }),
    refusedReports: state.refusedReports + 1,
  }),
  TaskCompleted: (state, { workItemId }) => changeItem(state, workItemId, (item) => ({ ...item, status: 'checking' })),
  QualityGateResult: (state, { workItemId, attempt: _, callId: __, ...outcome }) =>
    changeItem(state, workItemId, (item) => ({
      ...item,
      gates: new Map(item.gates).set(outcome.gateId, outcome),
    })),
  TaskReviewed: (state, { workItemId, approved, qualityScore, feedback, recommendations }) =>
    changeItem(state, workItemId, (item) => ({
      ...item,
      review: { approved, qualityScore, feedback, recommendations },
      reviewErrors: [],
    })),
  ReviewRejected: (state, { workItemId, errors }) =>
    changeItem(state, workItemId, (item) => ({ ...item, reviewErrors: errors })),
  RevisionRequested: (state, { workItemId, feedback }) =>
    changeItem(state, workItemId, (item) => ({ ...item, feedback, revisions: item.revisions + 1 })),
  WorkItemAccepted: (state, { workItemId, qualityScore }) =>
    changeItem(state, workItemId, (item) => ({
      ...item,
      status: 'accepted',
      ...(qualityScore === undefined ? {} : { qualityScore }),
    })),
  WorkItemFailed: (state, { workItemId, reason }) =>
    changeItem(state, workItemId, (item) => ({ ...item, status: 'failed', reason })),
  WorkItemBlocked: (state, { workItemId, blockedBy }) =>
    changeItem(state, workItemId, (item) => ({ ...item, status: 'blocked', blockedBy })),
  BudgetExceeded: (state, exceeded) => ({ ...state, budgetExceeded: exceeded }),
  BudgetRaised: (state, limits) => withoutExceeded(raise(state, limits)),
  ApprovalRequested: (state, data) =>
    withApproval(state, { ...definedOnly(data), status: 'requested' } as ApprovalState),
  ApprovalGiven: (state, { approvalId, reason }) => answerApproval(state, approvalId, { status: 'given', reason }),
  ApprovalDenied: (state, { approvalId, reason }) => answerApproval(state, approvalId, { status: 'denied', reason }),
  SessionPaused: (state, { reason }) => ({ ...state, status: 'paused', reason }),
  SessionResumed: (state, { owner }) => ({ ...goOn(state), owner }),
  SessionCompleted: (state) => ({ ...state, status: 'completed' }),
  SessionFailed: (state, { reason }) => ({ ...state, status: 'failed', reason }),
  SessionCancelled: (state, { reason }) => ({ ...state, status: 'cancelled', reason }),
}

export function evolveSession(state: SessionState, event: SessionEvent): SessionState {
  const evolve = evolvers[event.type] as Evolve<SessionEventName> | undefined
  return evolve === undefined ? state : evolve(state, event.data)
}

function newWorkItem({ workItemId, ...planned }: SessionEventData['WorkItemCreated']): WorkItemState {
  const { estimatedEffort, ...rest } = planned
  return {
    id: workItemId,
    ...rest,
    ...(estimatedEffort === undefined ? {} : { estimatedEffort }),
    status: 'planned',
    attempt: 0,
    revisions: 0,
    feedback: [],
    gateCallIds: new Map(),
    gates: new Map(),
    reviewErrors: [],
  }
}

function startAttempt(item: WorkItemState, attempt: number): WorkItemState {
  const { review: _, reviewCallId: __, ...kept } = item
  return { ...kept, status: 'working', attempt, gates: new Map(), gateCallIds: new Map(), reviewErrors: [] }
}

function newCall(state: SessionState, data: SessionEventData['AgentCallReserved']): CallState {
  const predecessor = data.predecessor === undefined ? undefined : state.calls.get(data.predecessor)
  return {
    ...definedOnly(data),
    status: 'reserved',
    epoch: 0,
    retryable: false,
    failures: predecessor === undefined ? 0 : failuresUpTo(predecessor),
    costUsd: 0,
  } as CallState
}

/** JSON has no undefined, zod's optional keys do: leave them out so that states compare equal. */
function definedOnly<T extends object>(data: T): T {
  return Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined)) as T
}

function linkCall(state: SessionState, call: SessionEventData['AgentCallReserved']): SessionState {
  const { callId, purpose, workItemId, gateId } = call
  if (purpose === 'plan') return { ...state, planCallId: callId }
  if (workItemId === undefined) return state
  return changeItem(state, workItemId, (item) => {
    if (purpose === 'work') return { ...item, workCallId: callId }
    if (purpose === 'review') return { ...item, status: 'reviewing', reviewCallId: callId }
    return { ...item, gateCallIds: new Map(item.gateCallIds).set(gateId ?? '', callId) }
  })
}

function withApproval(state: SessionState, approval: ApprovalState): SessionState {
  return { ...state, approvals: new Map(state.approvals).set(approval.approvalId, approval) }
}

function answerApproval(
  state: SessionState,
  approvalId: string,
  { status, reason }: { status: 'given' | 'denied'; reason: string | undefined },
): SessionState {
  const approval = state.approvals.get(approvalId)
  if (approval === undefined) throw new Error(`The log answers approval "${approvalId}", which was never requested`)
  return withApproval(state, { ...approval, status, ...(reason === undefined ? {} : { reason }) })
}

function raise(state: SessionState, limits: SessionEventData['BudgetRaised']): SessionState {
  const budget = budgetSchema.parse({ ...state.settings.budget, ...definedOnly(limits) })
  return { ...state, settings: { ...state.settings, budget } }
}

/** A paid call was reserved after all: a cheaper outcome made room for it. */
function affordable(state: SessionState, { role }: SessionEventData['AgentCallReserved']): SessionState {
  return role === 'gate' ? state : withoutExceeded(state)
}

function withoutExceeded({ budgetExceeded: _, ...state }: SessionState): SessionState {
  return state
}

function goOn(state: SessionState): SessionState {
  if (state.status !== 'paused') return state
  const { reason: _, ...rest } = state
  return { ...rest, status: state.planned ? 'running' : 'planning' }
}

function withItem(state: SessionState, item: WorkItemState): SessionState {
  return { ...state, workItems: new Map(state.workItems).set(item.id, item) }
}

function changeItem(
  state: SessionState,
  workItemId: string,
  change: (item: WorkItemState) => WorkItemState,
): SessionState {
  return withItem(state, change(itemById(state, workItemId)))
}

function withCall(state: SessionState, call: CallState): SessionState {
  const openCallIds = new Set(state.openCallIds)
  if (isOpen(call) || isUnresolved(call)) openCallIds.add(call.callId)
  else openCallIds.delete(call.callId)
  return { ...state, calls: new Map(state.calls).set(call.callId, call), openCallIds }
}

function changeCall(state: SessionState, callId: string, change: Partial<CallState>): SessionState {
  const call = state.calls.get(callId)
  if (call === undefined) throw new Error(`The log names call "${callId}", which this session never reserved`)
  return withCall(state, { ...call, ...change })
}
