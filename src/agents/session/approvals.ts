import type { SessionAction } from './actions.ts'
import { estimateFor, likelyCost, purposeOf } from './budget.ts'
import type { SessionEventData } from './schemas.ts'
import { itemById, pendingApprovals, type SessionState } from './state.ts'

/*
 * P1: pure. An action that needs a person's yes is held back until the answer is an event; a no ends what was asked for.
 */

type Request = SessionEventData['ApprovalRequested']

/** Holds back what is not approved yet, asking for it once, and turns a denial into a failure. */
export function withApprovals(state: SessionState, actions: readonly SessionAction[]): readonly SessionAction[] {
  let costUsd = likelyCost(state)
  const judged = actions.flatMap((action) => {
    const allowed = judge(state, action, costUsd)
    const purpose = purposeOf(action)
    if (purpose !== undefined && allowed.includes(action)) costUsd += estimateFor(state, purpose)
    return allowed
  })
  return unrepeated(judged)
}

/** `costUsd`: what the session may have cost without this action. */
function judge(state: SessionState, action: SessionAction, costUsd: number): SessionAction[] {
  for (const request of requestsFor(state, action, costUsd)) {
    const approval = state.approvals.get(request.approvalId)
    if (approval === undefined) return [{ kind: 'request-approval', request }]
    if (approval.status === 'requested') return []
    if (approval.status === 'denied' && request.subject !== 'tool') {
      return [denied(request, approval.reason ?? 'no reason given')]
    }
  }
  return [action]
}

/** It waits for a person, or would, while as many as there are `free` places do: others that need nobody go first. */
export function isHeldBack(state: SessionState, { id }: { readonly id: string }, free: number): boolean {
  if (!needsApproval(state, id)) return false
  const { status } = state.approvals.get(`work:${id}`) ?? {}
  if (status !== undefined) return status === 'requested'
  return pendingApprovals(state).filter(({ subject }) => subject === 'work-item').length >= free
}

function needsApproval({ settings }: SessionState, workItemId: string): boolean {
  const { workItems } = settings.approvals
  return workItems === 'all' || workItems.includes(workItemId)
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

function requestsFor(state: SessionState, action: SessionAction, costUsd: number): Request[] {
  const { plan, completion, tools } = state.settings.approvals
  if (action.kind === 'complete') return completion ? [completionRequest(state)] : []
  const cost = costRequest(state, action, costUsd)
  if (action.kind !== 'assign') return cost
  const asked = needsApproval(state, action.workItemId)
  return [
    ...(plan ? [planRequest(state)] : []),
    ...(asked ? [itemRequest(state, action.workItemId)] : []),
    ...tools.map((tool) => toolRequest(state, tool, action.workItemId)),
    ...cost,
  ]
}

function planRequest(state: SessionState): Request {
  const items = [...state.workItems.values()].map(({ id, title }) => `${id}: ${title}`)
  return { approvalId: 'plan', subject: 'plan', input: [state.strategy, ...items].filter(Boolean).join('\n') }
}

function itemRequest(state: SessionState, workItemId: string): Request {
  const { title, description } = itemById(state, workItemId)
  return { approvalId: `work:${workItemId}`, subject: 'work-item', workItemId, input: `${title}\n${description}` }
}

/** What the tool will be given is known to nobody yet; for what work it is first wanted, is. */
function toolRequest(state: SessionState, tool: string, workItemId: string): Request {
  const { title, description } = itemById(state, workItemId)
  const may = `The Worker may use the tool ${tool} in all of its work (denied, it works without).`
  const input = `${may}\nTask: ${state.task}\nFirst wanted for ${workItemId}: ${title}\n${description}`
  return { approvalId: `tool:${tool}`, subject: 'tool', input }
}

function costRequest(state: SessionState, action: SessionAction, costUsd: number): Request[] {
  const { costAboveUsd } = state.settings.approvals
  const purpose = purposeOf(action)
  if (costAboveUsd === undefined || purpose === undefined) return []
  const cost = costUsd + estimateFor(state, purpose)
  const approvalId = `cost:${costAboveUsd}`
  if (cost <= costAboveUsd && !state.approvals.has(approvalId)) return []
  const input = `With the next ${purpose} call the session may have cost ${cost} USD, more than ${costAboveUsd}.`
  return [{ approvalId, subject: 'cost', input }]
}

function completionRequest(state: SessionState): Request {
  const accepted = [...state.workItems.values()].map(({ id, title }) => `${id}: ${title}`)
  return { approvalId: 'completion', subject: 'completion', input: ['All accepted:', ...accepted].join('\n') }
}

/** The tools agents are given: those of the settings without what a person denied, or has not said yes to so far. */
export function toolsAllowed(state: SessionState): readonly string[] | undefined {
  const denied = toolsDenied(state)
  return state.settings.allowedTools?.filter((rule) => !denied.some((tool) => tool === rule || tool === toolOf(rule)))
}

/** Told to the executor apart, because where the settings name no tools it has some of its own. */
export function toolsDenied({ settings, approvals }: SessionState): readonly string[] {
  return settings.approvals.tools.filter((tool) => approvals.get(`tool:${tool}`)?.status !== 'given')
}

/** `Bash` of `Bash(npm test)`. */
function toolOf(rule: string): string {
  return rule.split('(', 1)[0]!.trim()
}

function denied({ subject, workItemId }: Request, reason: string): SessionAction {
  if (subject === 'work-item' && workItemId !== undefined) {
    return { kind: 'fail-item', workItemId, reason: `A person denied it: ${reason}` }
  }
  return { kind: 'fail', reason: `A person denied the ${subject}: ${reason}` }
}
