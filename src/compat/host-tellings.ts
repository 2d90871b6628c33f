import { failedGates } from '../agents/session/next-gates.ts'
import type { SessionEventData, SessionEventName } from '../agents/session/schemas.ts'
import { type CallState, itemById } from '../agents/session/state.ts'
import {
  agentError,
  coordination,
  message,
  phaseTold,
  type Scene,
  SDK_BASED,
  type Told,
  transition,
  workItemTold,
} from './host-scene.ts'
import type { AgentRole, ErrorType, QualityCheck, SDKAgentResult } from './host-types.ts'

/*
 * What the host's listeners hear of each event of a session, in the order they know. An event that is missing here says
 * nothing to them.
 */

type Tell<Name extends SessionEventName> = (scene: Scene, data: SessionEventData[Name]) => Told[]

const tellings: { [Name in SessionEventName]?: Tell<Name> } = {
  SessionCreated: (scene) => begun(scene),
  SessionForked: (scene) => begun(scene),
  SessionResumed: (scene) => initialized(scene, 'resumed'),
  WorkflowStateUpdated: (scene, { phase }) => [transition(scene, phase)],
  PlanRejected: (scene, { errors, attempt }) => [
    agentError(scene, {
      by: 'manager',
      errorType: 'validation_failure',
      message: `The plan cannot be used: ${errors.join('; ')}`,
      recovery: attempt < scene.state.settings.maxPlanAttempts ? 'retry' : 'skip',
    }),
  ],
  WorkItemCreated: planned,
  TaskAssigned: (scene, { workItemId, attempt }) => {
    const { feedback } = itemById(scene.state, workItemId)
    return attempt === 1 ? [] : assignedAgain(scene, workItemId, { reason: 'revision', attempt, feedback })
  },
  AgentCallReserved: (scene, call) =>
    call.purpose === 'work' && call.try > 1
      ? assignedAgain(scene, call.workItemId ?? '', { reason: 'retry', attempt: call.attempt, try: call.try })
      : [],
  AgentCallFailed: callFailed,
  AgentCallInDoubt: (scene, { callId, reason }) => {
    const call = scene.state.calls.get(callId)
    const told = { by: roleOf(call), errorType: 'communication_error', message: `In doubt: ${reason}` } as const
    return [agentError(scene, { ...told, recovery: 'retry', workItemId: call?.workItemId })]
  },
  AgentCallStalled: (scene, { callId, silentMs }) => {
    const call = scene.state.calls.get(callId)
    const data = { callId, status: 'stalled', silentMs, ...SDK_BASED }
    const isWork = call?.purpose === 'work'
    if (!isWork) return [phaseTold(scene, 'stalled', data)]
    return [coordination(scene, 'AGENT_COORDINATION', { by: 'worker', workItemId: call.workItemId, data })]
  },
  TaskCompleted: worked,
  QualityGateResult: (scene, { workItemId, gateId, passed, score, mandatory, explanation }) => [
    coordination(scene, 'HANDOFF_VALIDATION', {
      workItemId,
      data: { workItemId, gateId, passed, score, mandatory, explanation, ...SDK_BASED },
    }),
  ],
  TaskReviewed: reviewed,
  ReviewRejected: (scene, { workItemId, callId, errors }) => [
    agentError(scene, {
      by: 'manager',
      errorType: 'validation_failure',
      message: `The review is no verdict: ${errors.join('; ')}`,
      recovery: recoveryAfter(scene, callId),
      workItemId,
    }),
  ],
  WorkItemFailed: (scene, { workItemId, reason }) => [
    agentError(scene, {
      by: 'worker',
      errorType: 'validation_failure',
      message: reason,
      recovery: 'skip',
      workItemId,
    }),
  ],
  WorkItemBlocked: (scene, { workItemId, blockedBy }) => [phaseTold(scene, 'blocked', { workItemId, blockedBy })],
  BudgetExceeded: (scene, exceeded) => {
    const isIterations = exceeded.limit === 'calls' && exceeded.scope === 'worker'
    return [phaseTold(scene, isIterations ? 'iteration_limit' : 'budget_exceeded', exceeded)]
  },
  ApprovalRequested: (scene, request) => [phaseTold(scene, 'approval_requested', request)],
  SessionPaused: (scene, { reason }) => [phaseTold(scene, 'paused', { reason })],
  SessionCompleted: (scene) => ended(scene, 'completed'),
  SessionFailed: (scene, { reason }) => [
    ...(scene.state.planned
      ? []
      : [phaseTold(scene, 'analysis_error', { error: reason, errorType: 'manager_analysis_failed' })]),
    ...ended(scene, 'failed', reason),
  ],
  SessionCancelled: (scene, { reason }) => ended(scene, 'cancelled', reason),
}

export function tellingsOf(scene: Scene): Told[] {
  const tell = tellings[scene.event.type] as Tell<SessionEventName> | undefined
  return tell === undefined ? [] : tell(scene, scene.event.data)
}

function begun(scene: Scene): Told[] {
  return [transition(scene, scene.state.phase), ...initialized(scene, 'initialization')]
}

function initialized(scene: Scene, phase: 'initialization' | 'resumed'): Told[] {
  const { task: userRequest, workDir, settings } = scene.state
  const { manager: managerModel, worker: workerModel } = settings.models
  return [
    phaseTold(scene, phase, { sessionId: scene.sessionId, userRequest, workDir }),
    { name: 'agents_initialized', payload: { managerModel, workerModel, ...SDK_BASED } },
  ]
}

/** Once all items of the plan are there. */
function planned(scene: Scene, { workItemId }: SessionEventData['WorkItemCreated']): Told[] {
  const { workItems, strategy } = scene.state
  const isLast = workItemId === scene.lastPlanned
  if (!isLast) return []
  const told = [...workItems.keys()].map((id) => workItemTold(scene, id))
  return [
    transition(scene, 'execution'),
    coordination(scene, 'MANAGER_TASK_ASSIGNMENT', { data: { workItems: told, strategy, ...SDK_BASED } }),
    transition(scene, 'planning'),
  ]
}

function assignedAgain(scene: Scene, workItemId: string, why: Record<string, unknown>): Told[] {
  const data = { workItems: [workItemTold(scene, workItemId)], ...why, ...SDK_BASED }
  return [coordination(scene, 'MANAGER_TASK_ASSIGNMENT', { workItemId, data })]
}

function worked(scene: Scene, { workItemId, callId, attempt }: SessionEventData['TaskCompleted']): Told[] {
  const workItem = workItemTold(scene, workItemId)
  const result = resultOf(scene.state.calls.get(callId))
  const { output } = result
  const progress = { workItemId, status: 'completed', attempt, artifactsProduced: result.artifacts, ...SDK_BASED }
  const report = { workItemId, result, output, workItem, ...SDK_BASED }
  return [
    coordination(scene, 'WORKER_PROGRESS_UPDATE', { by: 'worker', workItemId, data: progress }),
    message(scene, 'worker', 'completion_report', { payload: report, callId }),
    coordination(scene, 'MANAGER_WORKER_HANDOFF', {
      workItemId,
      data: { workItem, handoffCount: scene.handoffs, ...SDK_BASED },
    }),
  ]
}

function resultOf(call: CallState | undefined): SDKAgentResult {
  const { output = '', artifacts, changes, executorSessionId } = call?.result ?? {}
  return {
    success: true,
    output,
    artifacts: [...new Set([...(artifacts ?? []), ...(changes?.files ?? [])])],
    ...(executorSessionId !== undefined && { sessionId: executorSessionId }),
  }
}

function reviewed(scene: Scene, review: SessionEventData['TaskReviewed']): Told[] {
  const { workItemId, qualityScore: score, feedback, recommendations, approved, callId } = review
  const { settings } = scene.state
  const holds = failedGates(itemById(scene.state, workItemId)).length === 0 && score >= settings.minQualityScore
  const check: QualityCheck = {
    gateId: 'manager_review_sdk',
    workItemId,
    passed: approved && holds,
    score,
    feedback,
    recommendations,
  }
  return [
    message(scene, 'manager', 'quality_check', { payload: { ...check, ...SDK_BASED }, callId }),
    coordination(scene, 'MANAGER_QUALITY_CHECK', { workItemId, data: { ...check } }),
  ]
}

function callFailed(scene: Scene, failed: SessionEventData['AgentCallFailed']): Told[] {
  const call = scene.state.calls.get(failed.callId)
  const workItemId = call?.workItemId
  const error = failed.error.message
  const told = agentError(scene, {
    by: roleOf(call),
    errorType: errorTypeOf(failed, call),
    message: error,
    recovery: failed.because === undefined ? recoveryAfter(scene, failed.callId) : 'retry',
    workItemId,
    retryAt: failed.retryAt,
  })
  if (call?.purpose !== 'work') return [told]
  const data = { workItemId, status: 'failed', attempt: call.attempt, blockers: [error], ...SDK_BASED }
  return [coordination(scene, 'WORKER_PROGRESS_UPDATE', { by: 'worker', workItemId, data }), told]
}

const BEFORE_IT_BEGAN = new Set(['DEPENDENCY_MISSING', 'EXECUTOR_INVALID', 'WORKDIR_INVALID'])

function errorTypeOf(failed: SessionEventData['AgentCallFailed'], call: CallState | undefined): ErrorType {
  if (failed.because !== undefined || BEFORE_IT_BEGAN.has(failed.error.code)) return 'resource_unavailable'
  return call !== undefined && failed.durationMs >= call.timeoutMs ? 'timeout' : 'tool_failure'
}

function recoveryAfter({ state }: Scene, callId: string): 'retry' | 'skip' {
  const call = state.calls.get(callId)
  const mayRetry = call !== undefined && (call.status === 'completed' || call.retryable)
  return mayRetry && call.failures + 1 < state.settings.maxCallAttempts ? 'retry' : 'skip'
}

function roleOf(call: CallState | undefined): AgentRole {
  return call?.role === 'worker' ? 'worker' : 'manager'
}

function ended(scene: Scene, status: 'completed' | 'failed' | 'cancelled', reason?: string): Told[] {
  const { sessionId, state } = scene
  const accepted = [...state.workItems.values()].filter((item) => item.status === 'accepted').length
  const totals = { totalWorkItems: state.workItems.size, completedWorkItems: accepted }
  const data = { sessionId, status, ...(reason !== undefined && { reason }), ...totals, ...SDK_BASED }
  return [coordination(scene, 'EXECUTION_COMPLETE', { data })]
}
