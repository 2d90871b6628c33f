import type { SessionAction } from './actions.ts'
import type { SessionEventData } from './schemas.ts'
import { itemById, type SessionState } from './state.ts'

/*
 * P1: pure. An action that needs a person's yes is held back until the answer is an event; a no ends what was asked for.
 */

type Request = SessionEventData['ApprovalRequested']

/** Holds back what is not approved yet, asking for it once, and turns a denial into a failure. */
export function withApprovals(state: SessionState, actions: readonly SessionAction[]): readonly SessionAction[] {
  return unrepeated(actions.flatMap((action) => judge(state, action)))
}

function judge(state: SessionState, action: SessionAction): SessionAction[] {
  for (const request of requestsFor(state, action)) {
    const approval = state.approvals.get(request.approvalId)
    if (approval === undefined) return [{ kind: 'request-approval', request }]
    if (approval.status === 'requested') return []
    if (approval.status === 'denied') return [denied(request, approval.reason ?? 'no reason given')]
  }
  return [action]
}

/** Several items may wait for the one approval of the plan. */
function unrepeated(actions: readonly SessionAction[]): readonly SessionAction[] {
  const asked = new Set<string>()
  let failing = false
  return actions.filter((action) => {
    if (action.kind === 'fail' && failing) return false
    failing ||= action.kind === 'fail'
    if (action.kind !== 'request-approval') return true
    const first = !asked.has(action.request.approvalId)
    asked.add(action.request.approvalId)
    return first
  })
}

function requestsFor(state: SessionState, action: SessionAction): Request[] {
  const { plan, workItems, completion } = state.settings.approvals
  if (action.kind === 'complete') return completion ? [completionRequest(state)] : []
  if (action.kind !== 'assign') return []
  const asked = workItems === 'all' || workItems.includes(action.workItemId)
  return [...(plan ? [planRequest(state)] : []), ...(asked ? [itemRequest(state, action.workItemId)] : [])]
}

function planRequest(state: SessionState): Request {
  const items = [...state.workItems.values()].map(({ id, title }) => `${id}: ${title}`)
  return { approvalId: 'plan', subject: 'plan', input: [state.strategy, ...items].filter(Boolean).join('\n') }
}

function itemRequest(state: SessionState, workItemId: string): Request {
  const { title, description } = itemById(state, workItemId)
  return { approvalId: `work:${workItemId}`, subject: 'work-item', workItemId, input: `${title}\n${description}` }
}

function completionRequest(state: SessionState): Request {
  const accepted = [...state.workItems.values()].map(({ id, title }) => `${id}: ${title}`)
  return { approvalId: 'completion', subject: 'completion', input: ['All accepted:', ...accepted].join('\n') }
}

function denied({ subject, workItemId }: Request, reason: string): SessionAction {
  if (subject === 'work-item' && workItemId !== undefined) {
    return { kind: 'fail-item', workItemId, reason: `A person denied it: ${reason}` }
  }
  return { kind: 'fail', reason: `A person denied the ${subject}: ${reason}` }
}
