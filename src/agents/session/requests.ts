import type { AgentRequest } from '../executor.ts'
import type { AcceptedItem } from '../prompts/gate-prompt.ts'
import { packagePrompts, type SessionPrompts } from '../prompts/session-prompts.ts'
import { gateVerdictJsonSchema, MAX_WORK_ITEMS, planJsonSchema, reviewJsonSchema } from '../structured-output.ts'
import { toolsAllowed, toolsDenied } from './approvals.ts'
import { limitsMoney } from './budget.ts'
import { gateRoundOf } from './gate-rounds.ts'
import { type CallState, callById, itemById, type SessionState, type WorkItemState } from './state.ts'

/** What an executor is asked for one call, computed from the state alone (P1), so whoever claims it asks the same. */
export function requestFor(
  sessionId: string,
  state: SessionState,
  call: CallState,
  prompts: SessionPrompts = packagePrompts,
): AgentRequest {
  if (call.role === 'gate') throw new Error(`Call ${call.callId} is a gate; no agent is asked`)
  const { callId, role, purpose, attempt, try: tryNumber, timeoutMs, workItemId, model, resume, reservedUsd } = call
  const allowedTools = toolsAllowed(state)
  const deniedTools = toolsDenied(state)
  return {
    callId,
    sessionId,
    role,
    purpose: purpose === 'gate' ? 'review' : purpose,
    attempt,
    try: tryNumber,
    timeoutMs,
    workDir: state.workDir,
    ...instructed(question(state, call, prompts), state.settings.instructions[purpose]),
    ...(workItemId === undefined ? {} : { workItemId }),
    ...(call.gateId === undefined ? {} : { gateId: call.gateId }),
    ...(model === undefined ? {} : { model }),
    ...(reservedUsd === undefined || !limitsMoney(state, call) ? {} : { maxBudgetUsd: reservedUsd }),
    ...(resume === undefined ? {} : { resume }),
    ...(allowedTools === undefined ? {} : { allowedTools }),
    ...(deniedTools.length === 0 ? {} : { deniedTools }),
  }
}

/** What the session's settings say beside the wording, whoever renders it. */
function instructed(question: Question, instruction: string | undefined): Question {
  if (instruction === undefined || instruction === '') return question
  return { ...question, prompt: `${question.prompt}\n\n${instruction}` }
}

type Question = Pick<AgentRequest, 'prompt' | 'outputSchema'>

function question(state: SessionState, call: CallState, prompts: SessionPrompts): Question {
  switch (call.purpose) {
    case 'plan':
      return {
        prompt: prompts.plan.render({ task: state.task, maxWorkItems: MAX_WORK_ITEMS, errors: state.planErrors }),
        outputSchema: planJsonSchema(),
      }
    case 'review':
      return { prompt: reviewQuestion(state, call, prompts), outputSchema: reviewJsonSchema() }
    case 'gate':
      return { prompt: gateQuestion(state, call, prompts), outputSchema: gateVerdictJsonSchema() }
    default:
      return { prompt: workQuestion(state, call, prompts) }
  }
}

function workQuestion(state: SessionState, call: CallState, prompts: SessionPrompts): string {
  const { title, description, acceptanceCriteria, feedback, dependencies } = itemById(state, call.workItemId ?? '')
  const finished = dependencies.map((id) => itemById(state, id).title)
  return prompts.work.render({
    task: state.task,
    title,
    description,
    acceptanceCriteria,
    attempt: call.attempt,
    feedback,
    finished,
  })
}

function reviewQuestion(state: SessionState, call: CallState, prompts: SessionPrompts): string {
  const item = itemById(state, call.workItemId ?? '')
  const { output, artifacts, changes } = workOf(state, item)
  const { title, description, acceptanceCriteria, gates, reviewErrors } = item
  return prompts.review.render({
    title,
    description,
    acceptanceCriteria,
    attempt: call.attempt,
    output,
    artifacts,
    changes,
    gates: [...gates.values()],
    errors: reviewErrors,
  })
}

function gateQuestion(state: SessionState, call: CallState, prompts: SessionPrompts): string {
  const { gateId = '', workItemId } = call
  const { reviewer = '', minScore = 0 } = state.settings.gates.find((gate) => gate.gateId === gateId) ?? {}
  const errors = gateRoundOf(state, workItemId).gateErrors.get(gateId) ?? []
  const asked = { task: state.task, gateId, instruction: reviewer, minScore, workItems: [], errors }
  if (workItemId === undefined) return prompts.gate.render({ ...asked, workItems: acceptedItems(state) })
  const item = itemById(state, workItemId)
  const { title, description, acceptanceCriteria } = item
  const { output, changes } = workOf(state, item)
  return prompts.gate.render({ ...asked, workItem: { title, description, acceptanceCriteria, output, changes } })
}

function acceptedItems({ workItems }: SessionState): AcceptedItem[] {
  return [...workItems.values()].map(({ title, acceptanceCriteria, qualityScore, review, gates }) => {
    const recommendations = review?.recommendations ?? []
    return { title, acceptanceCriteria, qualityScore, recommendations, gates: [...gates.values()] }
  })
}

function workOf(state: SessionState, item: WorkItemState) {
  const { output = '', artifacts = [], changes } = callById(state, item.workCallId)?.result ?? {}
  return { output, artifacts, changes: changes?.text ?? '' }
}
