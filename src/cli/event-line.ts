import type { SessionEventData, SessionEventName } from '../agents/session/schemas.ts'
import type { RecordedEvent } from '../core/event.ts'
import { formatDuration, plural } from './render/format.ts'
import { plainLine, truncate } from './render/width.ts'

/*
 * A run where there is no terminal to redraw: one plain line per event that a person would want to hear of.
 */

type Describe = { readonly [Name in SessionEventName]?: (data: SessionEventData[Name], stream: string) => string }

const MAX_TEXT_WIDTH = 200

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
  BudgetExceeded: ({ limit, max, needed, purpose }) => {
    if (limit === 'wall-clock') return 'its time is up'
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

/** `19:04:05 money: accepted`, or nothing for an event that is bookkeeping. */
export function eventLine(event: RecordedEvent): string | undefined {
  const { type, data, stream, timestamp } = event
  if (!Object.hasOwn(describe, type)) return undefined
  const text = (describe[type as SessionEventName] as (data: unknown, stream: string) => string)(data, stream)
  return `${timestamp.slice(11, 19)} ${truncate(plainLine(text), MAX_TEXT_WIDTH)}`
}
