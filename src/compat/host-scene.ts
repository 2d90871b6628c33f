import type { SessionEvent } from '../agents/session/schemas.ts'
import { type CallState, callById, itemById, type SessionState, type WorkItemState } from '../agents/session/state.ts'
import type { RecordedEvent } from '../core/event.ts'
import { murmur2 } from '../core/murmur2.ts'
import type {
  AgentError,
  AgentMessage,
  AgentRole,
  CoordinationEvent,
  CoordinationEventType,
  ErrorType,
  MessageType,
  RecoveryStrategy,
  TaskStatus,
  WorkItem,
} from './host-types.ts'

/* The words of the host's events. Ids and dates come from the log, so that the same event is told by the same words by whoever tells it. */

/** One event for the host's listeners. */
export type Told =
  | { readonly name: 'agents_initialized'; readonly payload: Record<string, unknown> }
  | { readonly name: 'coordination_event'; readonly payload: CoordinationEvent }
  | { readonly name: 'message_sent'; readonly payload: AgentMessage }
  | { readonly name: 'agent_error'; readonly payload: AgentError }

/** When an item came to be, and when something last happened to it. */
export interface ItemDates {
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** What is known where something is told: the event, and the session right after it. */
export interface Scene {
  readonly sessionId: string
  readonly event: RecordedEvent<SessionEvent>
  readonly state: SessionState
  readonly handoffs: number
  /** The last item of the newest plan. */
  readonly lastPlanned: string | undefined
  readonly datesOf: (workItemId: string) => ItemDates
}

export const SDK_BASED = { coordinationType: 'SDK_BASED' } as const

interface Coordination {
  readonly data: Record<string, unknown>
  readonly by?: AgentRole
  readonly workItemId?: string | undefined
}

export function coordination(scene: Scene, type: CoordinationEventType, told: Coordination): Told {
  const { data, by: agentRole = 'manager', workItemId } = told
  const timestamp = new Date(scene.event.timestamp)
  return {
    name: 'coordination_event',
    payload: { type, agentRole, ...(workItemId !== undefined && { workItemId }), data, timestamp },
  }
}

/** Something about the run as a whole that the host has no event of its own for. */
export function phaseTold(scene: Scene, phase: string, data: Record<string, unknown>): Told {
  return coordination(scene, 'AGENT_COORDINATION', { data: { phase, ...data, ...SDK_BASED } })
}

export function transition(scene: Scene, newPhase: SessionState['phase']): Told {
  return coordination(scene, 'WORKFLOW_TRANSITION', { data: { newPhase, ...SDK_BASED } })
}

export function message(
  scene: Scene,
  from: AgentRole,
  type: MessageType,
  { payload, callId }: { readonly payload: Record<string, unknown>; readonly callId: string },
): Told {
  const to = from === 'manager' ? 'worker' : 'manager'
  const timestamp = new Date(scene.event.timestamp)
  const told = { id: idOf('msg', scene), from, to, type, payload, timestamp, correlationId: callId } as const
  return { name: 'message_sent', payload: told }
}

interface Failure {
  readonly by: AgentRole
  readonly errorType: ErrorType
  readonly message: string
  readonly recovery: RecoveryStrategy['type']
  readonly workItemId?: string | undefined
  /** ISO time. */
  readonly retryAt?: string | undefined
}

export function agentError(scene: Scene, failure: Failure): Told {
  const { by: agentRole, errorType, message, recovery: type, workItemId, retryAt } = failure
  const timestamp = new Date(scene.event.timestamp)
  const backoffMs = retryAt === undefined ? 0 : Math.max(0, Date.parse(retryAt) - timestamp.getTime())
  return {
    name: 'agent_error',
    payload: {
      id: idOf('err', scene),
      agentRole,
      ...(workItemId !== undefined && { workItemId }),
      errorType,
      message,
      recoveryStrategy: { type, maxAttempts: scene.state.settings.maxCallAttempts, backoffMs },
      timestamp,
    },
  }
}

/** Milliseconds and five characters, as the host's; from the event's own id. */
function idOf(kind: 'msg' | 'err', { event }: Scene): string {
  const hash = murmur2(Buffer.from(event.eventId)) >>> 0
  return `sdk-${kind}-${Date.parse(event.timestamp)}-${hash.toString(36).padStart(5, '0').slice(-5)}`
}

export function workItemTold({ state, datesOf }: Scene, workItemId: string): WorkItem {
  return asWorkItem(itemById(state, workItemId), callById(state, itemById(state, workItemId).workCallId), {
    ...datesOf(workItemId),
  })
}

export function asWorkItem(item: WorkItemState, call: CallState | undefined, dates: ItemDates): WorkItem {
  const { id, title, description, priority, estimatedEffort = 0 } = item
  return {
    id,
    title,
    description,
    acceptanceCriteria: [...item.acceptanceCriteria],
    priority,
    estimatedEffort,
    dependencies: [...item.dependencies],
    ...(item.attempt > 0 && { assignedTo: 'worker' as const }),
    status: statusOf(item, call),
    ...dates,
  }
}

function statusOf({ status }: WorkItemState, call: CallState | undefined): TaskStatus {
  if (status === 'working') return call?.status === 'reserved' ? 'assigned' : 'in_progress'
  if (status === 'checking' || status === 'reviewing') return 'in_progress'
  return status === 'accepted' ? 'completed' : status
}
