import { newGateRound } from './gate-rounds.ts'
import type { SessionEvent, SessionEventData, SessionEventName } from './schemas.ts'
import {
  type ApprovalState,
  type CallState,
  isOpen,
  isUnresolved,
  type SessionState,
  type WorkItemState,
} from './state.ts'
import { StateMap } from './state-map.ts'
import { EMPTY_TALLY } from './tally.ts'

/*
 * P1: pure. A fork goes on from what another session was at a version; the history before stays where it is, by reference.
 *
 * F1 What the other session had under way is not the fork's: an open or doubtful call becomes a cancelled one, and is made
 *    anew when it is still wanted.
 * F2 What was paid there is not paid here: inherited calls count in no budget and in no total of the fork.
 * F3 A fork begins where an append of the other session ended, so that it inherits whole steps.
 */

/** The fork's first state: the other session's state at that version, as far as it is taken over. */
export function forkedState(base: SessionState, data: SessionEventData['SessionForked']): SessionState {
  const { task, workDir, settings, owner, keptWorkItemIds, from, atVersion, startedAt } = data
  const { budgetExceeded: _, reason: __, startedAt: ___, timeIsUp: ____, ...inherited } = base
  const workItems = new Map([...base.workItems].filter(([id]) => keptWorkItemIds.includes(id)))
  const kept = [...base.calls.values()].filter(
    ({ workItemId }) => workItemId === undefined || workItems.has(workItemId),
  )
  return {
    ...inherited,
    status: base.planned ? 'running' : 'planning',
    phase: base.planned && base.phase === 'completion' ? 'execution' : base.phase,
    task,
    workDir,
    settings,
    owner,
    ...(startedAt === undefined ? {} : { startedAt }),
    forkedFrom: { sessionId: from, version: atVersion },
    workItems: new StateMap(workItems),
    calls: new StateMap(new Map(kept.map((call) => [call.callId, inheritedCall(call)]))),
    tallies: { manager: EMPTY_TALLY, worker: EMPTY_TALLY },
    sessionGates: newGateRound(base.sessionGates.attempt + 1),
    openCallIds: new Set(),
    approvals: new StateMap(new Map([...base.approvals].filter(([, approval]) => stands(approval, data)))),
    pendingApprovalIds: new Set(),
    refusedReports: 0,
  }
}

/**
 * What a person approved stands for what it was asked about: not for another plan, nor for work items that are gone, and
 * never for the result, which is the fork's own.
 */
function stands({ status, subject, workItemId }: ApprovalState, data: SessionEventData['SessionForked']): boolean {
  if (status !== 'given' || subject === 'completion' || subject === 'session-gates') return false
  if (workItemId !== undefined) return data.keptWorkItemIds.includes(workItemId)
  return subject !== 'plan' || !(data.newPlan || data.changes.some((change) => OLD_NEW_PLAN.test(change)))
}

/** How a replaced plan was told before `newPlan`. */
const OLD_NEW_PLAN = /^plan of \d+ work items$/

function inheritedCall(call: CallState): CallState {
  const unfinished = isOpen(call) || isUnresolved(call)
  return { ...call, inherited: true, ...(unfinished && { status: 'cancelled' }) }
}

/** Those that stay as they are when the rest of the plan is replaced. */
export function isKeptBesideNewPlan({ status }: WorkItemState): boolean {
  return status === 'accepted'
}

/** With these an append begins, or can be cut without parting what belongs together; everything else follows in the same append. */
const openers: ReadonlySet<SessionEventName> = new Set<SessionEventName>([
  'AgentCallClaimed',
  'AgentCallStalled',
  'AgentCallCompleted',
  'AgentCallFailed',
  'AgentCallCancelled',
  'AgentCallInDoubt',
  'AgentCallResolved',
  'AgentCallReportRefused',
  'ApprovalGiven',
  'ApprovalDenied',
  'ApprovalEscalated',
  'RevisionGranted',
  'ApprovalEscalated',
  'BudgetExceeded',
  'BudgetRaised',
  'SessionPaused',
  'SessionResumed',
  'SessionCancelled',
])

/** Whether a fork may begin right before this event (F3). */
export function beginsStep({ type }: SessionEvent): boolean {
  return openers.has(type)
}
