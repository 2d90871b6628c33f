import { outOfTime, timeOf } from './budget.ts'
import { evolveSession } from './evolve.ts'
import type { SessionEvent } from './schemas.ts'
import {
  type ApprovalState,
  type CallState,
  isEnded,
  isReserved,
  openCalls,
  pendingApprovals,
  type SessionState,
  type TimeScope,
} from './state.ts'

/*
 * P1: pure. The time limits of a session are durable: each stands in an event with the time it is due. Whoever drives the
 * session asks what is due; firing changes the state so that the same limit never fires twice.
 */

/** When the next time limit is due, in milliseconds since the epoch; undefined when none is pending. */
export function nextTimerMs(state: SessionState): number | undefined {
  const due = [...dueTimes(state)]
  return due.length === 0 ? undefined : Math.min(...due)
}

function* dueTimes(state: SessionState): Generator<number> {
  if (isEnded(state)) return
  for (const approval of pendingApprovals(state)) if (canExpire(approval)) yield Date.parse(approval.expiresAt!)
  for (const scope of SCOPES) {
    const deadline = deadlineMs(state, scope)
    if (deadline !== undefined) yield deadline
  }
}

function canExpire({ expiresAt, escalated }: ApprovalState): boolean {
  return expiresAt !== undefined && escalated !== true
}

const SCOPES = ['session', 'manager', 'worker'] as const

/** Undefined also when it has passed and that is recorded. */
function deadlineMs({ settings: { budget }, startedAt, timeIsUp }: SessionState, scope: TimeScope): number | undefined {
  const maxWallClockMs = timeOf(budget, scope)
  if (maxWallClockMs === undefined || startedAt === undefined || timeIsUp?.[scope]) return undefined
  return Date.parse(startedAt) + maxWallClockMs
}

function isDue(state: SessionState, scope: TimeScope, nowMs: number): boolean {
  return (deadlineMs(state, scope) ?? Infinity) <= nowMs
}

/** What follows from the time being `nowMs`. */
export function fireTimers(state: SessionState, nowMs: number): SessionEvent[] {
  if (isEnded(state)) return []
  const expired = pendingApprovals(state).flatMap((approval) => expireIfDue(approval, nowMs) ?? [])
  return [...expired, ...endTime(state, nowMs)]
}

/** When somebody's time is up, and nobody was told: no call of theirs begins any more, nor one that was reserved before. */
export function endTime(state: SessionState, nowMs: number | undefined): SessionEvent[] {
  if (nowMs === undefined || isEnded(state)) return []
  const scope = SCOPES.find((each) => isDue(state, each, nowMs))
  if (scope === undefined) return []
  const ended = endTimeOf(state, scope, nowMs)
  return [...ended, ...endTime(ended.reduce(evolveSession, state), nowMs)]
}

function endTimeOf(state: SessionState, scope: TimeScope, nowMs: number): SessionEvent[] {
  const withdrawn = openCalls(state, isReserved).filter((call) => countsFor(call, scope))
  const reason = outOfTimeReason(scope)
  const spentMs = Math.max(0, nowMs - Date.parse(state.startedAt ?? ''))
  return [
    ...withdrawn.map(({ callId }) => ({ type: 'AgentCallCancelled', data: { callId, reason } }) as const),
    { type: 'BudgetExceeded', data: outOfTime(state, scope, spentMs) },
  ]
}

/** Gates are commands of ours: what was paid for is judged. */
function countsFor({ role }: CallState, scope: TimeScope): boolean {
  return role === scope || (scope === 'session' && role !== 'gate')
}

function outOfTimeReason(scope: TimeScope): string {
  return scope === 'session' ? "the session's time is up" : `the time of the session's ${scope} is up`
}

/** Why a call may begin no more, for want of time. */
export function whyOutOfTime(state: SessionState, call: CallState, nowMs: number): string | undefined {
  const isUp = (scope: TimeScope) => state.timeIsUp?.[scope] || isDue(state, scope, nowMs)
  const scope = SCOPES.find((each) => countsFor(call, each) && isUp(each))
  return scope && outOfTimeReason(scope)
}

/** What follows when nobody has answered in time. An answer after that comes too late, whoever noticed the time first. */
export function expireIfDue(approval: ApprovalState, nowMs: number | undefined): SessionEvent | undefined {
  if (nowMs === undefined || !canExpire(approval) || Date.parse(approval.expiresAt!) > nowMs) return undefined
  return expire(approval)
}

function expire({ approvalId, onTimeout, expiresAt }: ApprovalState): SessionEvent {
  const reason = `nobody answered by ${expiresAt}`
  switch (onTimeout) {
    case 'escalate':
      return { type: 'ApprovalEscalated', data: { approvalId } }
    case 'approve':
      return { type: 'ApprovalGiven', data: { approvalId, reason, by: 'timeout' } }
    default:
      return { type: 'ApprovalDenied', data: { approvalId, reason, by: 'timeout' } }
  }
}
