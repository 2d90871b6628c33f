import { formatDuration, plural } from '../../core/format.ts'
import type { SessionEventData, SessionEventName } from './schemas.ts'

/*
 * What happened to a session, in a sentence: for the lines of a run without a terminal, and for the page.
 */

type Describe = { readonly [Name in SessionEventName]?: (data: SessionEventData[Name], stream: string) => string }

const percent = (score: number) => `${Math.round(score * 100)} %`

const describe: Describe = {
  SessionCreated: ({ task }, stream) => `session ${stream} started: ${task}`,
  PlanProposed: ({ workItemIds }) => `plan: ${plural(workItemIds.length, 'work item')}: ${workItemIds.join(', ')}`,
  PlanRejected: ({ attempt, errors }) => `plan ${attempt} rejected: ${errors.join('; ')}`,
  TaskAssigned: ({ workItemId, attempt }) => `${workItemId}: assigned, attempt ${attempt}`,
  TaskCompleted: ({ workItemId, attempt }) => `${workItemId}: work done, attempt ${attempt}`,
  QualityGateResult: ({ workItemId, gateId, passed, explanation }) =>
    `${workItemId ?? 'session'}: gate ${gateId} ${passed ? 'passed' : 'failed'}: ${explanation}`,
  TaskReviewed: ({ workItemId, approved, qualityScore }) =>
    `${workItemId}: review ${approved ? 'approves' : 'rejects'}, ${percent(qualityScore)}`,
  ReviewRejected: ({ workItemId = 'session', gateId, errors }) =>
    `${workItemId}: ${gateId ?? 'review'} unusable: ${errors.join('; ')}`,
  RevisionRequested: ({ workItemId, feedback }) => `${workItemId}: sent back: ${feedback.join('; ')}`,
  WorkItemAccepted: ({ workItemId }) => `${workItemId}: accepted`,
  WorkItemFailed: ({ workItemId, reason }) => `${workItemId}: failed: ${reason}`,
  WorkItemBlocked: ({ workItemId, blockedBy }) => `${workItemId}: blocked by ${blockedBy.join(', ')}`,
  AgentCallFailed: ({ callId, error, because, retryAt }) =>
    because === 'rate-limit'
      ? `call ${callId} met a rate limit: calls like it wait until ${retryAt}`
      : `call ${callId} failed: ${error.message}`,
  AgentToolCalled: ({ callId, tool, input, count }) =>
    `${callId}: used ${tool}${count > 1 ? ` ×${count}` : ''}${input === undefined ? '' : `: ${input}`}`,
  AgentCallStalled: ({ callId, silentMs }) => `call ${callId} stalled: no sign of life for ${formatDuration(silentMs)}`,
  AgentCallInDoubt: ({ callId, reason }) => `call ${callId} in doubt: ${reason}`,
  AgentCallResolved: ({ callId, resolution, by }) => `call ${callId} resolved by ${by}: ${resolution}`,
  AgentCallReportRefused: ({ callId, owner }) => `call ${callId}: late report of ${owner} refused`,
  BudgetExceeded: ({ limit, max, needed, purpose, scope = 'session' }) => {
    if (limit === 'wall-clock') return scope === 'session' ? 'its time is up' : `the time of its ${scope} is up`
    if (limit === 'call') return `waiting for money: a ${purpose} call may spend ${max} USD, and stopped there`
    return `waiting for money: the next ${purpose} call needs ${needed} ${limit}, of ${max} too little is left`
  },
  BudgetRaised: () => 'budget raised',
  ApprovalRequested: ({ approvalId }) => `waiting for a person: ${approvalId}`,
  ApprovalGiven: ({ approvalId, by }) => `${approvalId} approved${by === 'timeout' ? ', nobody answered in time' : ''}`,
  ApprovalDenied: ({ approvalId, reason }) => `${approvalId} denied: ${reason}`,
  ApprovalEscalated: ({ approvalId }) => `${approvalId} is overdue`,
  RevisionGranted: ({ approvalId, feedback }) => `${approvalId}: sent back by a person: ${feedback}`,
  SessionPaused: ({ reason, stopsCalls }) => `session paused: ${reason}${stopsCalls ? ', what runs is stopped' : ''}`,
  SessionResumed: () => 'session resumed',
  SessionCompleted: () => 'session completed',
  SessionFailed: ({ reason }) => `session failed: ${reason}`,
  SessionCancelled: ({ reason }) => `session cancelled: ${reason}`,
}

/** Nothing for an event that is bookkeeping. Not yet one line, and not yet short: agents wrote parts of it. */
export function eventText({ type, data, stream }: { type: string; data: unknown; stream: string }): string | undefined {
  if (!Object.hasOwn(describe, type)) return undefined
  return (describe[type as SessionEventName] as (data: unknown, stream: string) => string)(data, stream)
}
