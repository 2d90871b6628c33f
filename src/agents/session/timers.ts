import type { SessionEvent } from './schemas.ts'
import {
  type ApprovalState,
  type CallState,
  isEnded,
  isReserved,
  openCalls,
  pendingApprovals,
  type SessionState,
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
  const deadline = deadlineMs(state)
  if (deadline !== undefined) yield deadline
}

function canExpire({ expiresAt, escalated }: ApprovalState): boolean {
  return expiresAt !== undefined && escalated !== true
}

/** Undefined also when it has passed and that is recorded. */
function deadlineMs({ settings, startedAt, budgetExceeded }: SessionState): number | undefined {
  const { maxWallClockMs } = settings.budget ?? {}
  if (maxWallClockMs === undefined || startedAt === undefined || budgetExceeded?.limit === 'wall-clock')
    return undefined
  return Date.parse(startedAt) + maxWallClockMs
}

/** What follows from the time being `nowMs`. */
export function fireTimers(state: SessionState, nowMs: number): SessionEvent[] {
  if (isEnded(state)) return []
  const expired = pendingApprovals(state).flatMap((approval) => expireIfDue(approval, nowMs) ?? [])
  return [...expired, ...endTime(state, nowMs)]
}

/** When the session's time is up, and nobody was told: no call begins any more, nor one that was reserved before. */
export function endTime(state: SessionState, nowMs: number | undefined): SessionEvent[] {
  const deadline = deadlineMs(state)
  if (nowMs === undefined || deadline === undefined || deadline > nowMs || isEnded(state)) return []
  const withdrawn = openCalls(state, isReserved).filter(isPaid)
  return [
    ...withdrawn.map(({ callId }) => ({ type: 'AgentCallCancelled', data: { callId, reason: OUT_OF_TIME } }) as const),
    outOfTimeEvent(state, nowMs),
  ]
}

export const OUT_OF_TIME = "the session's time is up"

/** Whether a call may begin no more, for want of time. */
export function isOutOfTime(state: SessionState, call: CallState, nowMs: number): boolean {
  const deadline = deadlineMs(state)
  const isUp = state.budgetExceeded?.limit === 'wall-clock' || (deadline !== undefined && deadline <= nowMs)
  return isUp && isPaid(call)
}

/** Gates are commands of ours: what was paid for is judged. */
function isPaid({ role }: CallState): boolean {
  return role !== 'gate'
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

function outOfTimeEvent({ settings, startedAt }: SessionState, nowMs: number): SessionEvent {
  const max = settings.budget?.maxWallClockMs ?? 0
  const spent = Math.max(0, nowMs - Date.parse(startedAt ?? ''))
  return { type: 'BudgetExceeded', data: { limit: 'wall-clock', max, spent, reserved: 0, needed: 0 } }
}
