import { plural } from '../../core/format.ts'
import type { SessionAction } from './actions.ts'
import type { SessionState, WorkItemState } from './state.ts'

/* P1: pure. What is rejected goes back while revisions are left; then it has failed, or a person has the last word. */

export function reject(
  state: SessionState,
  item: WorkItemState,
  feedback: readonly string[],
): readonly SessionAction[] {
  const { id: workItemId, revisions, grantedRevisions, grantedFeedback } = item
  if (revisions < state.settings.maxRevisions + grantedRevisions) {
    return [{ kind: 'revise', workItemId, feedback: [...grantedFeedback, ...feedback] }]
  }
  const why = `Still rejected after ${plural(revisions, 'revision')}: ${feedback.join('; ')}`
  if (state.settings.whenRejected === 'fail') return [{ kind: 'fail-item', workItemId, reason: why }]
  const approvalId = `verdict:${workItemId}:${item.attempt}`
  const approval = state.approvals.get(approvalId)
  if (approval === undefined) {
    const input = [`${item.title}: accept it as it is?`, why, `Attempt ${item.attempt}.`].join('\n')
    return [{ kind: 'request-approval', request: { approvalId, subject: 'verdict', workItemId, input } }]
  }
  if (approval.status === 'given') return [{ kind: 'accept', workItemId, by: 'person' }]
  if (approval.status !== 'denied') return []
  return [{ kind: 'fail-item', workItemId, reason: `A person denied it: ${approval.reason}. ${why}` }]
}

/** The same for the session's result, which its own gates reject. */
export function rejectResult(state: SessionState, failed: readonly string[]): readonly SessionAction[] {
  const why = `All work items are accepted, but the session's gates reject the result: ${failed.join('; ')}`
  if (state.settings.whenRejected === 'fail') return [{ kind: 'fail', reason: why }]
  const approvalId = `session-gates:${state.sessionGates.attempt}`
  const approval = state.approvals.get(approvalId)
  if (approval === undefined) {
    return [{ kind: 'request-approval', request: { approvalId, subject: 'session-gates', input: why } }]
  }
  if (approval.status === 'given') return [{ kind: 'complete' }]
  return approval.status === 'denied'
    ? [{ kind: 'fail', reason: `A person denied it: ${approval.reason}. ${why}` }]
    : []
}
