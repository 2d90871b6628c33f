import { type CallState, isClaimed, openCalls, type SessionState } from '../agents/session/state.ts'
import type { HostPicture } from './host-picture.ts'
import type {
  AgentCoordinatorConfig,
  AgentModel,
  AgentRole,
  AgentState,
  AgentStatus,
  ExecutionContext,
  PerformanceMetrics,
  WorkflowState,
} from './host-types.ts'

/* What the host's getters answer, computed from the picture when it is asked for. */

export function workflowStateOf(picture: HostPicture): WorkflowState {
  const { state, verdicts, scores } = picture
  const items = [...state.workItems.values()]
  const idsOf = (...statuses: string[]) => items.filter(({ status }) => statuses.includes(status)).map(({ id }) => id)
  const completed = idsOf('accepted').length
  return {
    phase: picture.phase,
    startTime: picture.startedAt ?? new Date(),
    totalWorkItems: items.length,
    completedWorkItems: completed,
    activeWorkItems: idsOf('working', 'checking', 'reviewing'),
    blockedWorkItems: idsOf('blocked'),
    overallProgress: items.length === 0 ? 0 : completed / items.length,
    qualityMetrics: {
      averageScore: average([...scores.values()]),
      gatesPassed: verdicts.passed,
      gatesFailed: verdicts.failed,
      criticalIssues: idsOf('failed', 'blocked').length,
    },
  }
}

export function contextOf(picture: HostPicture, config: AgentCoordinatorConfig): ExecutionContext {
  return {
    sessionId: picture.sessionId,
    userRequest: picture.state.task,
    workflowState: workflowStateOf(picture),
    managerState: agentStateOf(picture, 'manager'),
    workerState: agentStateOf(picture, 'worker'),
    communicationHistory: picture.history,
    artifacts: [...picture.artifacts],
    config,
  }
}

const DEFAULT_MODELS = { manager: 'opus', worker: 'sonnet' } as const

function agentStateOf(picture: HostPicture, role: AgentRole): AgentState {
  const { state, activity } = picture
  const open = openCalls(state, (call) => isClaimed(call) && call.role === role)
  const workItems = open.flatMap(({ workItemId }) => workItemId ?? [])
  return {
    role,
    model: (state.settings.models[role] ?? DEFAULT_MODELS[role]) as AgentModel,
    status: statusOf(state, open),
    currentWorkItems: [...new Set(workItems)],
    capabilities: [],
    performance: performanceOf(picture, role),
    lastActivity: activity[role] ?? picture.startedAt ?? new Date(),
  }
}

const DOING = { plan: 'planning', work: 'executing', review: 'reviewing', gate: 'reviewing' } as const

function statusOf({ status }: SessionState, [call]: readonly CallState[]): AgentStatus {
  if (status === 'unborn') return 'offline'
  return call === undefined ? 'idle' : DOING[call.purpose]
}

function performanceOf({ state, scores, verdicts }: HostPicture, role: AgentRole): PerformanceMetrics {
  const calls = [...state.calls.values()].filter((call) => call.role === role && call.inherited === undefined)
  const completed = calls.filter(({ status }) => status === 'completed')
  const failed = calls.filter(({ status }) => status === 'failed')
  const accepted = [...state.workItems.values()].filter(({ status }) => status === 'accepted')
  return {
    tasksCompleted: role === 'worker' ? accepted.length : completed.length,
    averageQualityScore: average([...scores.values()]),
    averageCompletionTime: average(completed.map(({ durationMs = 0 }) => durationMs)),
    errorRate: share(failed.length, completed.length),
    collaborationScore: share(verdicts.passed, verdicts.failed),
  }
}

/** How many of both are of the first kind. */
function share(first: number, second: number): number {
  return first + second === 0 ? 0 : first / (first + second)
}

function average(numbers: readonly number[]): number {
  return numbers.length === 0 ? 0 : numbers.reduce((sum, number) => sum + number, 0) / numbers.length
}
