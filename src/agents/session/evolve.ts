import { once } from '../once.ts'
import { outOfTime } from './budget.ts'
import { type Budget, budgetSchema } from './budget-settings.ts'
import { tallyOf } from './call-tally.ts'
import { forkedState } from './fork.ts'
import {
  changeGates,
  forgetGates,
  inAttempt,
  newGateRound,
  withGateCall,
  withGateErrors,
  withGateOutcome,
} from './gate-rounds.ts'
import { withoutParked, withParked } from './parking.ts'
import type { SessionEvent, SessionEventData, SessionEventName } from './schemas.ts'
import { settingsSchema } from './settings.ts'
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
import { StateMap } from './state-map.ts'
import { EMPTY_TALLY, plus } from './tally.ts'

/* P1: every function here is pure; state is never changed, only replaced. */

export function initialSessionState(): SessionState {
  return {
    status: 'unborn',
    phase: 'analysis',
    task: '',
    workDir: '',
    settings: defaultSettings(),
    owner: '',
    planned: false,
    strategy: '',
    planErrors: [],
    planRejections: 0,
    workItems: new StateMap(),
    calls: new StateMap(),
    tallies: { manager: EMPTY_TALLY, worker: EMPTY_TALLY },
    sessionGates: newGateRound(1),
    openCallIds: new Set(),
    lastEpoch: 0,
    refusedReports: 0,
    approvals: new StateMap(),
    pendingApprovalIds: new Set(),
  }
}

/** When first asked for, and then the same. */
const defaultSettings = once(() => settingsSchema.parse({}))

type Evolve<Name extends SessionEventName> = (state: SessionState, data: SessionEventData[Name]) => SessionState

const evolvers: { [Name in SessionEventName]: Evolve<Name> } = {
  SessionCreated: (state, { createdBy: _, ...created }) => ({
    ...state,
    status: 'planning',
    ...(definedOnly(created) as Pick<SessionState, 'task' | 'workDir' | 'settings' | 'owner'>),
  }),
  SessionForked: forkedState,
  WorkflowStateUpdated: (state, { phase }) => ({ ...state, phase }),
  PlanProposed: (state, { strategy }) => ({ ...state, status: 'running', planned: true, strategy, planErrors: [] }),
  PlanRejected: (state, { errors }) => ({ ...state, planErrors: errors, planRejections: state.planRejections + 1 }),
  WorkItemCreated: (state, data) => forgetGates(withItem(state, newWorkItem(data))),
  TaskAssigned: (state, { workItemId, attempt, callId }) =>
    changeItem(withWorkUsed(state, workItemId), workItemId, (item) => ({
      ...startAttempt(item, attempt),
      workCallId: callId,
    })),
  AgentCallReserved: (state, data) => linkCall(withCall(affordable(state, data), newCall(state, data)), data),
  AgentCallClaimed: (state, { callId, epoch, owner }) => ({
    ...changeCall(state, callId, { status: 'claimed', epoch, owner }),
    lastEpoch: epoch,
  }),
  AgentCallStalled: (state, { callId, silentMs }) => changeCall(state, callId, { stalledMs: silentMs }),
  AgentCallCompleted: (state, { callId, epoch: _, requestDigest, promptVersion, ...result }) =>
    changeCall(withoutParked(state, callId), callId, {
      status: 'completed',
      costUsd: result.costUsd,
      ...(result.costUnknown && { costUnknown: true }),
      durationMs: result.durationMs,
      result: state.calls.get(callId)?.purpose === 'work' ? result : used(result),
      ...(definedOnly({ requestDigest, promptVersion }) as Partial<CallState>),
    }),
  AgentCallFailed: (state, { callId, epoch: _, executorSessionId: __, ...outcome }) => {
    const failed = changeCall(state, callId, { status: 'failed', ...definedOnly(outcome) } as Partial<CallState>)
    return outcome.because === 'rate-limit' ? withParked(failed, callId, outcome.retryAt) : failed
  },
  AgentToolCalled: (state, { callId, count }) =>
    changeCall(state, callId, { toolCalls: (state.calls.get(callId)?.toolCalls ?? 0) + count }),
  AgentCallCancelled: (state, { callId, unbegun, requestDigest, promptVersion, costUsd, costUnknown, usage }) =>
    changeCall(state, callId, {
      status: 'cancelled',
      ...definedOnly({ unbegun, requestDigest, promptVersion, costUnknown, usage, ...costOf(costUsd) }),
    } as Partial<CallState>),
  AgentCallInDoubt: (state, { callId }) => changeCall(state, callId, { status: 'in-doubt' }),
  AgentCallResolved: (state, { callId, resolution }) => changeCall(goOn(state), callId, { resolution }),
  AgentCallReportRefused: (state, refused) => ({
    ...changeCall(state, refused.callId, lateReport(state.calls.get(refused.callId), refused)),
    refusedReports: state.refusedReports + 1,
  }),
  TaskCompleted: (state, { workItemId, callId }) => {
    const workBase = state.calls.get(callId)?.result?.changes?.base
    return changeItem(state, workItemId, (item) => ({
      ...item,
      status: 'checking',
      ...(workBase !== undefined && { workBase }),
    }))
  },
  QualityGateResult: (state, { workItemId, attempt, callId: _, ...outcome }) =>
    changeGates(
      state,
      workItemId,
      inAttempt(attempt, (round) => withGateOutcome(round, definedOnly(outcome))),
    ),
  TaskReviewed: (state, { workItemId, approved, qualityScore, feedback, recommendations }) =>
    changeItem(state, workItemId, (item) => ({
      ...item,
      review: { approved, qualityScore, feedback, recommendations },
      reviewErrors: [],
    })),
  ReviewRejected: (state, { workItemId, gateId, attempt, errors }) => {
    if (gateId !== undefined)
      return changeGates(
        state,
        workItemId,
        inAttempt(attempt, (round) => withGateErrors(round, gateId, errors)),
      )
    return changeItem(state, workItemId ?? '', (item) => ({ ...item, reviewErrors: errors }))
  },
  RevisionRequested: (state, { workItemId, feedback }) =>
    changeItem(state, workItemId, (item) => ({
      ...item,
      feedback,
      revisions: item.revisions + 1,
      grantedFeedback: [],
    })),
  RevisionGranted: (state, { approvalId, workItemId, feedback }) =>
    grantRevision(answered(state, approvalId, { status: 'revised', reason: feedback }), workItemId, feedback),
  WorkItemAccepted: (state, { workItemId, qualityScore }) =>
    changeItem(withWorkUsed(state, workItemId), workItemId, (item) => ({
      ...item,
      status: 'accepted',
      ...(qualityScore === undefined ? {} : { qualityScore }),
    })),
  WorkItemFailed: (state, { workItemId, reason }) =>
    changeItem(withWorkUsed(state, workItemId), workItemId, (item) => ({ ...item, status: 'failed', reason })),
  WorkItemBlocked: (state, { workItemId, blockedBy }) =>
    changeItem(state, workItemId, (item) => ({ ...item, status: 'blocked', blockedBy })),
  BudgetExceeded: (state, exceeded) => ({ ...withTimeUp(state, exceeded), budgetExceeded: exceeded }),
  BudgetRaised: (state, limits) => withoutExceeded(raise(withMoreTime(state, limits), limits)),
  ApprovalRequested: (state, data) =>
    withApproval(state, { ...definedOnly(data), status: 'requested' } as ApprovalState),
  ApprovalGiven: (state, { approvalId, ...answer }) => answered(state, approvalId, { status: 'given', ...answer }),
  ApprovalDenied: (state, { approvalId, ...answer }) => answered(state, approvalId, { status: 'denied', ...answer }),
  ApprovalEscalated: (state, { approvalId }) => answered(state, approvalId, { escalated: true }),
  SessionPaused: (state, { reason, stopsCalls }) => ({
    ...state,
    status: 'paused',
    reason,
    ...(stopsCalls && { stopsCalls }),
  }),
  SessionResumed: (state, { owner }) => ({ ...goOn(withoutPoolRefusal(state)), owner }),
  SessionCompleted: (state) => ({ ...state, status: 'completed' }),
  SessionFailed: (state, { reason }) => ({ ...state, status: 'failed', reason }),
  SessionCancelled: (state, { reason }) => ({ ...state, status: 'cancelled', reason }),
}

export function evolveSession(state: SessionState, event: SessionEvent): SessionState {
  const evolve = evolvers[event.type] as Evolve<SessionEventName> | undefined
  return evolve === undefined ? state : evolve(state, event.data)
}

/** A call that was stopped and says nothing of its cost had one nobody knows. */
function costOf(costUsd: number | undefined): Pick<CallState, 'costUsd'> | Pick<CallState, 'costUnknown'> {
  return costUsd === undefined ? { costUnknown: true } : { costUsd }
}

/** Of a call in doubt it says what that had cost, where it knows: events of before 0.1.0 that say 0 did not. */
function lateReport(
  call: CallState | undefined,
  { costUsd, costUnknown, usage, reported }: SessionEventData['AgentCallReportRefused'],
): Partial<CallState> {
  const { status, costUsd: before = 0 } = call ?? {}
  const tellsNothing = costUnknown || (reported !== 'completed' && costUsd === 0 && usage === undefined)
  return {
    lateReport: true,
    costUsd: before + costUsd,
    ...(status === 'in-doubt' && definedOnly({ usage, ...(tellsNothing && { costUnknown: true as const }) })),
  } as Partial<CallState>
}

function newWorkItem({ workItemId, ...planned }: SessionEventData['WorkItemCreated']): WorkItemState {
  const { estimatedEffort, ...rest } = planned
  return {
    id: workItemId,
    ...rest,
    ...(estimatedEffort === undefined ? {} : { estimatedEffort }),
    status: 'planned',
    ...newGateRound(0),
    revisions: 0,
    grantedRevisions: 0,
    grantedFeedback: [],
    feedback: [],
    reviewErrors: [],
  }
}

function startAttempt(item: WorkItemState, attempt: number): WorkItemState {
  const { review: _, reviewCallId: __, ...kept } = item
  return { ...kept, status: 'working', ...newGateRound(attempt), reviewErrors: [] }
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
  if (!Object.values(data).includes(undefined)) return data
  return Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined)) as T
}

function linkCall(state: SessionState, call: SessionEventData['AgentCallReserved']): SessionState {
  const { callId, purpose, workItemId, gateId } = call
  if (purpose === 'plan') return { ...state, planCallId: callId }
  if (purpose === 'gate') return changeGates(state, workItemId, (round) => withGateCall(round, gateId ?? '', callId))
  return changeItem(state, workItemId ?? '', (item) => {
    if (purpose === 'work') return { ...item, workCallId: callId }
    return { ...item, status: 'reviewing', reviewCallId: callId }
  })
}

/** An answer that has been used is in the log; states stay small however much agents write. */
function used({ output: _, structured: __, changes: ___, ...result }: NonNullable<CallState['result']>) {
  return result
}

function withWorkUsed(state: SessionState, workItemId: string): SessionState {
  const { workCallId } = itemById(state, workItemId)
  const result = workCallId === undefined ? undefined : state.calls.get(workCallId)?.result
  return result === undefined ? state : changeCall(state, workCallId!, { result: used(result) })
}

function withApproval(state: SessionState, approval: ApprovalState): SessionState {
  const { approvalId, status } = approval
  const pendingApprovalIds = new Set(state.pendingApprovalIds)
  if (status === 'requested') pendingApprovalIds.add(approvalId)
  else pendingApprovalIds.delete(approvalId)
  return { ...state, approvals: state.approvals.with(approvalId, approval), pendingApprovalIds }
}

type Answer = { readonly [Key in 'status' | 'reason' | 'by' | 'escalated']?: ApprovalState[Key] | undefined }

function answered(state: SessionState, approvalId: string, answer: Answer): SessionState {
  const approval = state.approvals.get(approvalId)
  if (approval === undefined) throw new Error(`The log answers approval "${approvalId}", which was never requested`)
  return withApproval(state, { ...approval, ...(definedOnly(answer) as Partial<ApprovalState>) })
}

/** Without a work item: the session's gates look at its result once more. */
function grantRevision(state: SessionState, workItemId: string | undefined, feedback: string): SessionState {
  if (workItemId === undefined) return forgetGates(state)
  return changeItem(state, workItemId, (item) => ({
    ...item,
    grantedRevisions: item.grantedRevisions + 1,
    grantedFeedback: [feedback],
  }))
}

function raise(state: SessionState, { role, perCallUsd, ...raised }: SessionEventData['BudgetRaised']): SessionState {
  const before = { ...state.settings.budget }
  const limits = definedOnly(raised)
  const { roles } = before
  if (perCallUsd !== undefined)
    before.perCallUsd = {
      ...(before.perCallUsd ?? budgetSchema.parse({}).perCallUsd),
      ...(definedOnly(perCallUsd) as Budget['perCallUsd']),
    }
  const changed = role === undefined ? limits : { roles: { ...roles, [role]: { ...roles?.[role], ...limits } } }
  const budget = budgetSchema.parse({ ...before, ...changed })
  return { ...state, settings: { ...state.settings, budget } }
}

function withTimeUp(state: SessionState, { limit, scope }: SessionEventData['BudgetExceeded']): SessionState {
  if (limit !== 'wall-clock' || scope === 'pool') return state
  return { ...state, timeIsUp: { ...state.timeIsUp, [scope ?? 'session']: true } }
}

function withMoreTime(state: SessionState, { role, maxWallClockMs }: SessionEventData['BudgetRaised']): SessionState {
  const { [role ?? 'session']: isUp, ...others } = state.timeIsUp ?? {}
  return isUp && maxWallClockMs !== undefined ? { ...state, timeIsUp: others } : state
}

/** A paid call was reserved after all: a cheaper outcome made room for it. */
function affordable(state: SessionState, { role }: SessionEventData['AgentCallReserved']): SessionState {
  return role === 'gate' ? state : withoutExceeded(state)
}

/** Once the session's time is up it waits for that, whatever else it is given or was refused meanwhile. */
function withoutExceeded(state: SessionState): SessionState {
  const { budgetExceeded, ...others } = state
  if (!state.timeIsUp?.session) return others
  const isShown = budgetExceeded?.limit === 'wall-clock' && budgetExceeded.scope === undefined
  return isShown ? state : { ...others, budgetExceeded: outOfTime(state, 'session') }
}

/** Somebody may have filled the pool meanwhile: going on asks it again. */
function withoutPoolRefusal(state: SessionState): SessionState {
  return state.budgetExceeded?.scope === 'pool' ? withoutExceeded(state) : state
}

function goOn(state: SessionState): SessionState {
  if (state.status !== 'paused') return state
  const { reason: _, stopsCalls: __, ...rest } = state
  return { ...rest, status: state.planned ? 'running' : 'planning' }
}

function withItem(state: SessionState, item: WorkItemState): SessionState {
  return { ...state, workItems: state.workItems.with(item.id, item) }
}

function changeItem(
  state: SessionState,
  workItemId: string,
  change: (item: WorkItemState) => WorkItemState,
): SessionState {
  return withItem(state, change(itemById(state, workItemId)))
}

function withCall(state: SessionState, call: CallState): SessionState {
  const calls = state.calls.with(call.callId, call)
  return { ...state, calls, openCallIds: openWith(state.openCallIds, call), tallies: tallied(state, call) }
}

function openWith(openCallIds: ReadonlySet<string>, call: CallState): ReadonlySet<string> {
  const { callId } = call
  const needsSomebody = isOpen(call) || isUnresolved(call)
  if (openCallIds.has(callId) === needsSomebody) return openCallIds
  return new Set(needsSomebody ? [...openCallIds, callId] : [...openCallIds].filter((open) => open !== callId))
}

/** The running sums, with this call instead of what it was before. */
function tallied({ tallies, calls }: SessionState, call: CallState): SessionState['tallies'] {
  const { role } = call
  if (role === 'gate') return tallies
  const before = calls.get(call.callId)
  const without = before === undefined ? tallies[role] : plus(tallies[role], tallyOf(before), -1)
  return { ...tallies, [role]: plus(without, tallyOf(call)) }
}

function changeCall(state: SessionState, callId: string, change: Partial<CallState>): SessionState {
  const call = state.calls.get(callId)
  if (call === undefined) throw new Error(`The log names call "${callId}", which this session never reserved`)
  return withCall(state, { ...call, ...change })
}
