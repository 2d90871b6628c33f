import { DuologError } from '../../core/errors.ts'
import { graphErrors } from '../structured-output.ts'
import { purposeOfCall } from './budget.ts'
import type { Budget } from './budget-settings.ts'
import type { SessionCommand } from './commands.ts'
import { evolveSession } from './evolve.ts'
import { settle } from './perform.ts'
import { planEvents } from './plan-events.ts'
import { report } from './reports.ts'
import type { SessionEvent } from './schemas.ts'
import { doubtPolicies } from './settings.ts'
import {
  type ApprovalState,
  type CallState,
  isClaimed,
  isEnded,
  isReserved,
  isTakenFrom,
  isUnresolved,
  openCalls,
  pendingApprovals,
  type SessionState,
} from './state.ts'
import { endTime, expireIfDue, fireTimers, whyOutOfTime } from './timers.ts'

/*
 * P1: pure. P7: a call has one reservation and exactly one outcome. P8: whoever lost its claim changes nothing.
 * The same command twice: the second time there is nothing to do, an empty list.
 */

type Command<Kind extends SessionCommand['kind']> = Extract<SessionCommand, { kind: Kind }>

/** What the command means, and at once everything that follows from it. */
export function decideSession(command: SessionCommand, state: SessionState): readonly SessionEvent[] {
  if (command.ranBy !== undefined && isTakenFrom(command.ranBy, state)) return []
  const direct = decideDirectly(command, state)
  if (direct.length === 0) return direct
  const meant = direct.reduce(evolveSession, state)
  const late = endTime(meant, command.nowMs)
  const settled = settle(late.reduce(evolveSession, meant), command.nowMs)
  return [...direct, ...late, ...settled.events, ...claimsFor(command, settled.state)]
}

/** Whoever runs a local session claims its calls as they are reserved: a step costs one append, not two. */
function claimsFor({ claimFor }: SessionCommand, state: SessionState): SessionEvent[] {
  if (claimFor === undefined || state.settings.dispatch !== 'local' || !mayClaim(state)) return []
  const { owner, roles } = claimFor
  if (isTakenFrom(owner, state)) return []
  return openCalls(state, (call) => isReserved(call) && roles.includes(call.role)).map(({ callId }, index) => ({
    type: 'AgentCallClaimed',
    data: { callId, epoch: state.lastEpoch + 1 + index, owner },
  }))
}

function mayClaim(state: SessionState): boolean {
  return state.status !== 'paused' && !isEnded(state)
}

function decideDirectly(command: SessionCommand, state: SessionState): readonly SessionEvent[] {
  if (command.kind === 'create') return create(command, state)
  if (state.status === 'unborn')
    throw new DuologError('SESSION_NOT_FOUND', 'There is no such session. List them with: duolog sessions')
  switch (command.kind) {
    case 'claim':
      return claim(command, state)
    case 'complete':
    case 'complete-gate':
    case 'report-failure':
    case 'report-cancelled':
    case 'report-unaffordable':
      return report(command, knownCall(state, command.callId), state)
    case 'report-stalled':
      return stalled(command, state)
    case 'doubt':
      return doubt(command, state)
    case 'resolve':
      return resolve(command, state)
    case 'add-work-item':
      return addWorkItem(command, state)
    case 'update-workflow':
      return updateWorkflow(command, state)
    case 'answer-approval':
      return answerApproval(command, state)
    case 'raise-budget':
      return raiseBudget(command, state)
    case 'fire-timers':
      return fireTimers(state, command.nowMs)
    case 'pause':
      return pause(command, state)
    case 'resume':
      return resume(command, state)
    case 'cancel':
      return cancel(command, state)
  }
}

function create(command: Command<'create'>, state: SessionState): readonly SessionEvent[] {
  const { kind: _, workItems, claimFor: __, nowMs, ...given } = command
  const data = nowMs === undefined ? given : { ...given, startedAt: new Date(nowMs).toISOString() }
  if (state.status !== 'unborn') {
    if (state.task === command.task && state.owner === command.owner) return []
    throw new DuologError(
      'SESSION_EXISTS',
      'A session with this id exists already. Resume it, or start one with another id.',
    )
  }
  return [{ type: 'SessionCreated', data }, ...(workItems === undefined ? [] : ownPlan(workItems))]
}

/** @throws INVALID_ARGUMENT where it could never be done, as a plan of the Manager's is refused */
function ownPlan(workItems: NonNullable<Command<'create'>['workItems']>): readonly SessionEvent[] {
  const errors = graphErrors(workItems.map(({ workItemId: id, dependencies }) => ({ id, dependencies })))
  if (errors.length > 0) throw new DuologError('INVALID_ARGUMENT', errors.join('; '))
  return planEvents('caller', '', workItems)
}

export function claim({ callId, owner, nowMs }: Command<'claim'>, state: SessionState): readonly SessionEvent[] {
  const call = knownCall(state, callId)
  if (call.status !== 'reserved' || !mayClaim(state)) return []
  if (nowMs !== undefined && whyOutOfTime(state, call, nowMs) !== undefined) return endTime(state, nowMs)
  return [{ type: 'AgentCallClaimed', data: { callId, epoch: state.lastEpoch + 1, owner } }]
}

function knownCall(state: SessionState, callId: string): CallState {
  const call = state.calls.get(callId)
  if (call === undefined)
    throw new DuologError('CALL_NOT_FOUND', `This session has no call "${callId}". See: duolog show SESSION`)
  return call
}

function stalled({ callId, epoch, silentMs }: Command<'report-stalled'>, state: SessionState): readonly SessionEvent[] {
  const call = knownCall(state, callId)
  if (call.status !== 'claimed' || call.epoch !== epoch || call.stalledMs !== undefined) return []
  return [{ type: 'AgentCallStalled', data: { callId, epoch, silentMs } }]
}

function doubt({ callId, epoch, reason }: Command<'doubt'>, state: SessionState): readonly SessionEvent[] {
  const call = knownCall(state, callId)
  if (call.status !== 'claimed' || call.epoch !== epoch) return []
  const inDoubt: SessionEvent = { type: 'AgentCallInDoubt', data: { callId, epoch, owner: call.owner ?? '', reason } }
  const resolution = resolutionByPolicy(call, state)
  return resolution === undefined ? [inDoubt] : [inDoubt, resolved(callId, resolution, 'policy')]
}

/** A gate is a command of ours that may always run again; anything paid follows the session's policy. */
function resolutionByPolicy(call: CallState, state: SessionState): 'retry' | 'resume' | 'fail' | undefined {
  if (isEnded(state)) return 'fail'
  if (call.role === 'gate') return 'retry'
  const policy = doubtPolicies(state.settings)[purposeOfCall(call)]
  return policy === 'ask' ? undefined : policy
}

function resolved(callId: string, resolution: 'retry' | 'resume' | 'fail', by: 'policy' | 'person'): SessionEvent {
  return { type: 'AgentCallResolved', data: { callId, resolution, by } }
}

function resolve({ callId, resolution }: Command<'resolve'>, state: SessionState): readonly SessionEvent[] {
  return isUnresolved(knownCall(state, callId)) ? [resolved(callId, resolution, 'person')] : []
}

function addWorkItem({ workItem }: Command<'add-work-item'>, state: SessionState): readonly SessionEvent[] {
  refuseEnded(state)
  if (state.workItems.has(workItem.workItemId)) return []
  if (!state.planned)
    throw new DuologError('INVALID_ARGUMENT', 'The session has no plan yet. Add work items after PlanProposed.')
  const unknown = workItem.dependencies.filter((id) => !state.workItems.has(id))
  if (unknown.length > 0) {
    const names = unknown.map((id) => `"${id}"`).join(', ')
    throw new DuologError(
      'INVALID_ARGUMENT',
      `workItem.dependencies: this session has no work item ${names}; add it first`,
    )
  }
  return [{ type: 'WorkItemCreated', data: workItem }]
}

function refuseEnded(state: SessionState): void {
  if (isEnded(state)) throw new DuologError('SESSION_ENDED', `The session is ${state.status}. Start a new one.`)
}

function updateWorkflow({ phase, note }: Command<'update-workflow'>, state: SessionState): readonly SessionEvent[] {
  refuseEnded(state)
  if (state.phase === phase) return []
  return [{ type: 'WorkflowStateUpdated', data: { phase, ...(note === undefined ? {} : { note }) } }]
}

function answerApproval(command: Command<'answer-approval'>, state: SessionState): readonly SessionEvent[] {
  const { approvalId } = command
  const approval = state.approvals.get(approvalId)
  if (approval === undefined) {
    const pending = pendingApprovals(state).map((each) => `"${each.approvalId}"`)
    const hint = pending.length === 0 ? 'It asks for none.' : `It asks for: ${pending.join(', ')}.`
    throw new DuologError('APPROVAL_NOT_FOUND', `This session has not asked for the approval "${approvalId}". ${hint}`)
  }
  if (approval.status !== 'requested' || isEnded(state)) return []
  const tooLate = expireIfDue(approval, command.nowMs)
  if (tooLate !== undefined && tooLate.type !== 'ApprovalEscalated') return [tooLate]
  return [...(tooLate === undefined ? [] : [tooLate]), ...answer(command, approval)]
}

function answer(command: Command<'answer-approval'>, approval: ApprovalState): SessionEvent[] {
  const { approvalId, approved, revise, reason } = command
  if (revise) return [granted(command, approval)]
  if (!approved) return [{ type: 'ApprovalDenied', data: { approvalId, reason: reason ?? 'no reason given' } }]
  return [{ type: 'ApprovalGiven', data: { approvalId, ...(reason === undefined ? {} : { reason }) } }]
}

/** Of a rejected work item, or of the session's gates: once more, with what the person says. */
function granted({ reason }: Command<'answer-approval'>, approval: ApprovalState): SessionEvent {
  const { approvalId, subject, workItemId } = approval
  if (subject !== 'verdict' && subject !== 'session-gates') {
    throw new DuologError('INVALID_ARGUMENT', `"${approvalId}" asks about no rejection: approve or deny it.`)
  }
  const feedback = reason ?? 'A person asks for another revision.'
  return {
    type: 'RevisionGranted',
    data: { approvalId, feedback, ...(workItemId === undefined ? {} : { workItemId }) },
  }
}

function raiseBudget({ limits }: Command<'raise-budget'>, state: SessionState): readonly SessionEvent[] {
  refuseEnded(state)
  const { role, perCallUsd = {}, ...raised } = limits
  const budget: Partial<Budget> = state.settings.budget ?? {}
  const before: Partial<Budget> = role === undefined ? budget : (budget.roles?.[role] ?? {})
  const changed = differs(raised, before) || differs(perCallUsd, budget.perCallUsd ?? {})
  return changed ? [{ type: 'BudgetRaised', data: limits }] : []
}

function differs<T extends object>(wanted: T, now: Partial<T>): boolean {
  const names = Object.keys(wanted) as (keyof T)[]
  return names.some((name) => wanted[name] !== undefined && wanted[name] !== now[name])
}

function pause({ reason, stopsCalls }: Command<'pause'>, state: SessionState): readonly SessionEvent[] {
  const isNews = state.status !== 'paused' || (stopsCalls && !state.stopsCalls)
  if (isEnded(state) || !isNews) return []
  const data = { reason, ...(stopsCalls && { stopsCalls }) }
  return [...withdrawReserved(state, `paused: ${reason}`), { type: 'SessionPaused', data }]
}

/** Calls nobody has begun go back: their messages may be read while nobody may claim them; going on reserves them anew. */
function withdrawReserved(state: SessionState, reason: string): SessionEvent[] {
  return openCalls(state, isReserved).map(({ callId }) => ({ type: 'AgentCallCancelled', data: { callId, reason } }))
}

function resume({ owner, previousOwner }: Command<'resume'>, state: SessionState): readonly SessionEvent[] {
  const waitsForPool = state.budgetExceeded?.scope === 'pool'
  const isNews = state.owner !== owner || state.status === 'paused' || waitsForPool
  if (isEnded(state) || state.owner !== previousOwner || !isNews) return []
  return [{ type: 'SessionResumed', data: { owner } }]
}

function cancel({ reason }: Command<'cancel'>, state: SessionState): readonly SessionEvent[] {
  if (isEnded(state)) return []
  return [...withdrawReserved(state, `cancelled: ${reason}`), { type: 'SessionCancelled', data: { reason } }]
}

/** Calls whose owner has to be looked after: claimed and not yet reported. */
export function claimedCalls(state: SessionState): CallState[] {
  return openCalls(state, isClaimed)
}
