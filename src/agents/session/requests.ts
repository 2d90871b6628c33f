import type { AgentRequest } from '../executor.ts'
import { planPrompt } from '../prompts/plan-prompt.ts'
import { reviewPrompt } from '../prompts/review-prompt.ts'
import { workPrompt } from '../prompts/work-prompt.ts'
import { MAX_WORK_ITEMS, planJsonSchema, reviewJsonSchema } from '../structured-output.ts'
import { type CallState, callById, itemById, type SessionState } from './state.ts'

/** What an executor is asked for one call, computed from the state alone (P1), so whoever claims it asks the same. */
export function requestFor(sessionId: string, state: SessionState, call: CallState): AgentRequest {
  if (call.role === 'gate') throw new Error(`Call ${call.callId} is a gate; no agent is asked`)
  const { callId, role, purpose, attempt, try: tryNumber, timeoutMs, workItemId, model, resume, reservedUsd } = call
  const { allowedTools } = state.settings
  return {
    callId,
    sessionId,
    role,
    purpose: purpose as AgentRequest['purpose'],
    attempt,
    try: tryNumber,
    timeoutMs,
    workDir: state.workDir,
    ...question(state, call),
    ...(workItemId === undefined ? {} : { workItemId }),
    ...(model === undefined ? {} : { model }),
    ...(state.settings.budget?.maxUsd === undefined || reservedUsd === undefined ? {} : { maxBudgetUsd: reservedUsd }),
    ...(resume === undefined ? {} : { resume }),
    ...(allowedTools === undefined ? {} : { allowedTools }),
  }
}

function question(state: SessionState, call: CallState): Pick<AgentRequest, 'prompt' | 'outputSchema'> {
  switch (call.purpose) {
    case 'plan':
      return {
        prompt: planPrompt({ task: state.task, maxWorkItems: MAX_WORK_ITEMS, errors: state.planErrors }),
        outputSchema: planJsonSchema,
      }
    case 'review':
      return { prompt: reviewQuestion(state, call), outputSchema: reviewJsonSchema }
    default:
      return { prompt: workQuestion(state, call) }
  }
}

function workQuestion(state: SessionState, call: CallState): string {
  const { title, description, acceptanceCriteria, feedback, dependencies } = itemById(state, call.workItemId ?? '')
  const finished = dependencies.map((id) => itemById(state, id).title)
  return workPrompt({
    task: state.task,
    title,
    description,
    acceptanceCriteria,
    attempt: call.attempt,
    feedback,
    finished,
  })
}

function reviewQuestion(state: SessionState, call: CallState): string {
  const item = itemById(state, call.workItemId ?? '')
  const work = callById(state, item.workCallId)?.result
  return reviewPrompt({
    title: item.title,
    description: item.description,
    acceptanceCriteria: item.acceptanceCriteria,
    attempt: call.attempt,
    output: work?.output ?? '',
    artifacts: work?.artifacts ?? [],
    gates: [...item.gates.values()],
    errors: item.reviewErrors,
  })
}
