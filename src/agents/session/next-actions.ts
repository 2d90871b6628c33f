import type { SessionAction } from './actions.ts'
import { isHeldBack, withApprovals } from './approvals.ts'
import { withinBudget } from './budget.ts'
import { fateOf, whyFailed } from './call-fate.ts'
import { failedGates, nextForGates, unsettledGates } from './next-gates.ts'
import { firstReady, outlinesOf } from './outline.ts'
import { reject, rejectResult } from './rejection.ts'
import {
  callById,
  failuresUpTo,
  isEnded,
  isOpen,
  isUnresolved,
  type SessionState,
  type WorkItemState,
} from './state.ts'

/*
 * What should happen now, as a pure function of the state (P1). Orchestration performs these actions, choreography asks
 * the same function for one role: the same events follow. An empty list means: wait for what is open, or it is over.
 */

/** What should happen next in a session, as a pure function (P1). Empty: wait for what is open, or it is over. */
export function nextActions(state: SessionState): readonly SessionAction[] {
  if (state.status === 'unborn' || state.status === 'paused' || isEnded(state)) return []
  return withinBudget(state, withApprovals(state, wanted(state)))
}

function wanted(state: SessionState): readonly SessionAction[] {
  if (!state.planned) return nextForPlan(state)
  const outlines = outlinesOf(state)
  const active = outlines.flatMap((outline) => outline.active)
  const inFlight = active.flatMap((item) => nextForItem(state, item))
  if (inFlight.length > 0) return inFlight
  const planned = outlines.filter((outline) => outline.planned.length > 0)
  const hasFallen = outlines.some(({ fallen }) => fallen > 0)
  const blocked = hasFallen ? [...state.workItems.values()].flatMap((item) => nextForBlocked(state, item)) : []
  if (blocked.length > 0) return blocked
  if (active.length === 0 && planned.length === 0) return conclude(state, [...state.workItems.values()])
  const free = state.settings.maxConcurrentTasks - active.length
  if (free <= 0) return []
  const mayBegin = (item: WorkItemState) => !isHeldBack(state, item, free)
  return firstReady(state, planned, { count: free, mayBegin }).map((item) => ({
    kind: 'assign',
    workItemId: item.id,
    attempt: 1,
  }))
}

function nextForPlan(state: SessionState): readonly SessionAction[] {
  const call = callById(state, state.planCallId)
  const attempt = state.planRejections + 1
  if (call !== undefined && (isOpen(call) || isUnresolved(call))) return []
  if (attempt > state.settings.maxPlanAttempts) return [{ kind: 'fail', reason: noPlan(state) }]
  const fate = call?.attempt === attempt ? fateOf(state, call) : 'none'
  if (fate === 'given-up')
    return [{ kind: 'fail', reason: `The Manager could not be asked for a plan: ${whyFailed(call)}` }]
  return [{ kind: 'plan', attempt, ...(fate === 'again' && call ? { again: call } : {}) }]
}

function noPlan(state: SessionState): string {
  return `No usable plan in ${state.planRejections} attempts. The last one: ${state.planErrors.join('; ')}`
}

function nextForItem(state: SessionState, item: WorkItemState): readonly SessionAction[] {
  switch (item.status) {
    case 'working':
      return nextForWork(state, item)
    case 'checking':
      return nextForChecks(state, item)
    case 'reviewing':
      return nextForReview(state, item)
    default:
      return []
  }
}

function nextForWork(state: SessionState, item: WorkItemState): readonly SessionAction[] {
  const call = callById(state, item.workCallId)
  const fate = fateOf(state, call)
  if (fate === 'again' && call) return [{ kind: 'work-again', workItemId: item.id, again: call }]
  if (fate === 'given-up') return [failItem(item, `The Worker's call failed: ${whyFailed(call)}`)]
  return []
}

/**
 * Gates come before the review: the reviewer sees their results, and a review is not bought for work a mandatory gate has
 * rejected, unless the settings want its feedback all the same.
 */
function nextForChecks(state: SessionState, item: WorkItemState): readonly SessionAction[] {
  if (unsettledGates(state, item, 'work-item').length > 0) return nextForGates(state, item, item.id)
  const failed = failedGates(item)
  const enough = failed.length > 0 && !state.settings.reviewFailingWork
  return enough ? reject(state, item, failed) : [{ kind: 'review', workItemId: item.id }]
}

function nextForReview(state: SessionState, item: WorkItemState): readonly SessionAction[] {
  if (item.review !== undefined) return verdict(state, item)
  const call = callById(state, item.reviewCallId)
  const fate = fateOf(state, call)
  if (call === undefined || fate === 'pending') return []
  const unusable = fate === 'done'
  const mayAskAgain = fate === 'again' || (unusable && failuresUpTo(call) < state.settings.maxCallAttempts)
  if (mayAskAgain) return [{ kind: 'review', workItemId: item.id, again: call }]
  const why = unusable ? `its answer was no verdict: ${item.reviewErrors.join('; ')}` : whyFailed(call)
  return [failItem(item, `The review could not be had: ${why}`)]
}

/** The verdict is the reviewer's answer as given, and every mandatory gate. */
function verdict(state: SessionState, item: WorkItemState): readonly SessionAction[] {
  const { approved, qualityScore, feedback } = item.review!
  const failed = failedGates(item)
  if (!approved) {
    const said = feedback.length > 0 ? feedback : ['The reviewer rejected it without a reason.']
    return reject(state, item, [...said, ...failed])
  }
  if (failed.length > 0) {
    const but = 'The reviewer approved it, but a mandatory gate failed, so it is rejected.'
    return reject(state, item, [but, ...failed, ...feedback])
  }
  if (qualityScore < state.settings.minQualityScore) {
    const low = `The review's score ${qualityScore} is below the threshold ${state.settings.minQualityScore}.`
    return reject(state, item, [low, ...feedback])
  }
  return [{ kind: 'accept', workItemId: item.id }]
}

function failItem(item: WorkItemState, reason: string): SessionAction {
  return { kind: 'fail-item', workItemId: item.id, reason }
}

function nextForBlocked(state: SessionState, item: WorkItemState): readonly SessionAction[] {
  if (item.status !== 'planned') return []
  const blockedBy = item.dependencies.filter((id) => {
    const status = state.workItems.get(id)?.status
    return status === 'failed' || status === 'blocked'
  })
  return blockedBy.length > 0 ? [{ kind: 'block-item', workItemId: item.id, blockedBy }] : []
}

function conclude(state: SessionState, items: readonly WorkItemState[]): readonly SessionAction[] {
  const missing = items.filter((item) => item.status !== 'accepted')
  if (missing.length > 0) {
    const names = missing.map((item) => `${item.id} (${item.reason ?? `blocked by ${item.blockedBy?.join(', ')}`})`)
    return [{ kind: 'fail', reason: `Not accepted: ${names.join('; ')}` }]
  }
  if (unsettledGates(state, state.sessionGates, 'session').length > 0) return nextForGates(state, state.sessionGates)
  const failed = failedGates(state.sessionGates)
  return failed.length > 0 ? rejectResult(state, failed) : [{ kind: 'complete' }]
}
