import { GATE_PROMPT_VERSION } from '../prompts/gate-prompt.ts'
import { PLAN_PROMPT_VERSION } from '../prompts/plan-prompt.ts'
import { REVIEW_PROMPT_VERSION } from '../prompts/review-prompt.ts'
import { WORK_PROMPT_VERSION } from '../prompts/work-prompt.ts'
import type { SessionAction } from './actions.ts'
import { reservationFor } from './budget.ts'
import { evolveSession } from './evolve.ts'
import { gateRoundOf } from './gate-rounds.ts'
import { nextActions } from './next-actions.ts'
import { laterOf, parkedUntil } from './parking.ts'
import type { SessionEvent, SessionEventData } from './schemas.ts'
import { type CallPurpose, type CallState, itemById, type SessionState } from './state.ts'

/* An action becomes facts here (P1: pure). A call is only ever reserved; making it is the services' business (P7). */

/**
 * Everything that follows at once from a state: performs `nextActions` until there are none, and returns the events with
 * the state after them. So one append carries the outcome of a call, what follows from it, and the reservation of the next.
 */
export function settle(state: SessionState, nowMs?: number): { events: SessionEvent[]; state: SessionState } {
  const events: SessionEvent[] = []
  let current = state
  for (let actions = nextActions(current); actions.length > 0; actions = nextActions(current)) {
    for (const action of actions) {
      const performed = perform(current, action, nowMs)
      current = performed.reduce(evolveSession, current)
      events.push(...performed)
    }
  }
  return { events, state: current }
}

/** `nowMs`: what time limits of approvals count from; without it there are none. */
export function perform(state: SessionState, action: SessionAction, nowMs?: number): SessionEvent[] {
  switch (action.kind) {
    case 'plan':
      return [...phase(state, 'analysis'), reserve(state, { purpose: 'plan', attempt: action.attempt }, action.again)]
    case 'assign':
      return [...phase(state, 'execution'), ...assign(state, action.workItemId, action.attempt)]
    case 'work-again':
      return [
        reserve(state, { purpose: 'work', workItemId: action.workItemId, attempt: action.again.attempt }, action.again),
      ]
    case 'evaluate-gate':
      return [reserve(state, { purpose: 'gate', ...gateAttempt(state, action), gateId: action.gateId }, action.again)]
    case 'skip-gate':
      return [skippedGate(action.call, action.reason)]
    case 'review':
      return [reserve(state, { purpose: 'review', ...current(state, action.workItemId) }, action.again)]
    case 'accept':
      return [accepted(state, action.workItemId, action.by)]
    case 'revise':
      return revise(state, action.workItemId, action.feedback)
    case 'fail-item':
      return [failed(state, action.workItemId, action.reason)]
    case 'block-item':
      return [{ type: 'WorkItemBlocked', data: { workItemId: action.workItemId, blockedBy: [...action.blockedBy] } }]
    case 'request-approval':
      return [{ type: 'ApprovalRequested', data: withTimeLimit(state, action.request, nowMs) }]
    case 'exceed-budget':
      return [{ type: 'BudgetExceeded', data: action.exceeded }]
    case 'complete':
      return [
        ...phase(state, 'completion'),
        { type: 'SessionCompleted', data: { acceptedWorkItems: [...state.workItems.keys()] } },
      ]
    case 'fail':
      return [...phase(state, 'completion'), { type: 'SessionFailed', data: { reason: action.reason } }]
  }
}

function phase(state: SessionState, phase: SessionState['phase']): SessionEvent[] {
  return state.phase === phase ? [] : [{ type: 'WorkflowStateUpdated', data: { phase } }]
}

function current(state: SessionState, workItemId: string): { workItemId: string; attempt: number } {
  return { workItemId, attempt: itemById(state, workItemId).attempt }
}

function assign(state: SessionState, workItemId: string, attempt: number): SessionEvent[] {
  const reserved = reserve(state, { purpose: 'work', workItemId, attempt })
  const { callId } = reserved.data
  return [{ type: 'TaskAssigned', data: { workItemId, attempt, callId, assignedTo: 'worker' } }, reserved]
}

function revise(state: SessionState, workItemId: string, feedback: readonly string[]): SessionEvent[] {
  const attempt = itemById(state, workItemId).attempt + 1
  return [
    { type: 'RevisionRequested', data: { workItemId, attempt, feedback: [...feedback] } },
    ...assign(state, workItemId, attempt),
  ]
}

function accepted(state: SessionState, workItemId: string, by?: 'person'): SessionEvent {
  const { attempt, review } = itemById(state, workItemId)
  return {
    type: 'WorkItemAccepted',
    data: {
      workItemId,
      attempt,
      ...(review === undefined ? {} : { qualityScore: review.qualityScore }),
      ...(by === undefined ? {} : { by }),
    },
  }
}

function gateAttempt(state: SessionState, { workItemId }: { readonly workItemId?: string }) {
  const { attempt } = gateRoundOf(state, workItemId)
  return workItemId === undefined ? { attempt } : { workItemId, attempt }
}

function withTimeLimit(
  { settings }: SessionState,
  request: SessionEventData['ApprovalRequested'],
  nowMs: number | undefined,
): SessionEventData['ApprovalRequested'] {
  const { timeoutMs, onTimeout } = settings.approvals
  if (timeoutMs === undefined || nowMs === undefined) return request
  return { ...request, expiresAt: new Date(nowMs + timeoutMs).toISOString(), onTimeout }
}

function failed(state: SessionState, workItemId: string, reason: string): SessionEvent {
  return { type: 'WorkItemFailed', data: { workItemId, attempt: itemById(state, workItemId).attempt, reason } }
}

function skippedGate({ callId, gateId = '', workItemId, attempt }: CallState, reason: string): SessionEvent {
  return {
    type: 'QualityGateResult',
    data: {
      ...(workItemId === undefined ? {} : { workItemId }),
      attempt,
      callId,
      gateId,
      mandatory: false,
      passed: false,
      score: 0,
      explanation: reason,
    },
  }
}

interface Wanted {
  readonly purpose: CallPurpose
  readonly attempt: number
  readonly workItemId?: string
  readonly gateId?: string
}

const roleOf = { plan: 'manager', review: 'manager', work: 'worker', gate: 'gate' } as const

const promptVersions = {
  plan: PLAN_PROMPT_VERSION,
  work: WORK_PROMPT_VERSION,
  review: REVIEW_PROMPT_VERSION,
  gate: GATE_PROMPT_VERSION,
}

/** A gate is a call of ours, unless a reviewer judges: then it is the Manager's. */
function roleFor({ settings }: SessionState, { purpose, gateId }: Wanted): CallState['role'] {
  const isReviewed = settings.gates.some((gate) => gate.gateId === gateId && gate.reviewer !== undefined)
  return purpose === 'gate' && isReviewed ? 'manager' : roleOf[purpose]
}

/** Deterministic: whoever performs the same action reserves the same call. */
function reserve(
  state: SessionState,
  wanted: Wanted,
  again?: CallState,
): Extract<SessionEvent, { type: 'AgentCallReserved' }> {
  const { purpose } = wanted
  const attemptOfCall = again === undefined ? 1 : again.try + 1
  const role = roleFor(state, wanted)
  const model = role === 'gate' ? undefined : state.settings.models[role]
  const notBefore = laterOf(again?.retryAt, role === 'gate' ? undefined : parkedUntil(state, role))
  const resume =
    again?.resolution === 'resume' ? (again.result?.executorSessionId ?? again.resume ?? again.callId) : undefined
  return {
    type: 'AgentCallReserved',
    data: {
      callId: callIdOf(wanted, attemptOfCall),
      role,
      ...wanted,
      try: attemptOfCall,
      timeoutMs: timeoutOf(state, wanted),
      ...(again === undefined ? {} : { predecessor: again.callId }),
      ...(notBefore === undefined ? {} : { notBefore }),
      ...(model === undefined ? {} : { model }),
      ...(role === 'gate' ? {} : { promptVersion: state.settings.promptVersions[purpose] ?? promptVersions[purpose] }),
      ...(role === 'gate' ? {} : reservationFor(state, purpose === 'gate' ? 'review' : purpose)),
      ...(resume === undefined ? {} : { resume }),
    },
  }
}

/** Readable in every list: `plan:1`, `work:parser:2`, `gate:parser:2:tests`, `review:parser:2~2` (the second try). */
function callIdOf({ purpose, workItemId, attempt, gateId }: Wanted, attemptOfCall: number): string {
  const name = [purpose, workItemId, attempt, gateId].filter((part) => part !== undefined).join(':')
  return attemptOfCall === 1 ? name : `${name}~${attemptOfCall}`
}

function timeoutOf(state: SessionState, { purpose, gateId }: Wanted): number {
  if (purpose !== 'gate') return state.settings.timeoutsMs[purpose]
  return state.settings.gates.find((gate) => gate.gateId === gateId)?.timeoutMs ?? state.settings.timeoutsMs.work
}
