import { type AnyEvent, isRecordedEvent } from '../core/event.ts'
import { defineProcessManager, type ProcessManager, type ProcessMessage } from '../processing/process-manager.ts'
import type { SessionEvent } from './session/schemas.ts'
import { WORKFLOW_TOPIC, type WorkflowCommand, type WorkflowEvent, type WorkflowRequest } from './workflow-events.ts'

/*
 * The two agents' work as a saga: a workspace, the session in it (assign → completion → review → gates), the delivery; and
 * if it comes to nothing, all of it undone, the last first. Pure (P1); `DualAgentWorkflowSaga` runs it.
 */

/** How long the parts may take. */
export interface WorkflowTimeouts {
  /** Default 60,000. */
  readonly workspaceMs?: number
  /** From the session's start to its end. Default 3,600,000. */
  readonly sessionMs?: number
  /** Default 60,000. */
  readonly deliveryMs?: number
}

export const defaultTimeouts = { workspaceMs: 60_000, sessionMs: 3_600_000, deliveryMs: 60_000 } as const

/** What a workflow knows of itself. */
export interface WorkflowState {
  readonly workflowId: string
  readonly request?: WorkflowRequest
  readonly workDir?: string
  /** How far the session's items are. */
  readonly phase: 'requested' | 'assigned' | 'completed' | 'reviewed' | 'checked' | 'accepted'
  readonly failedGates: readonly string[]
  readonly reason?: string
}

/** What the workflow hears: its own events and those of its session. */
export type WorkflowMessage = WorkflowEvent | SessionEvent

const PHASES: Readonly<Record<string, WorkflowState['phase']>> = {
  TaskAssigned: 'assigned',
  TaskCompleted: 'completed',
  TaskReviewed: 'reviewed',
  QualityGateResult: 'checked',
  WorkItemAccepted: 'accepted',
}

const initial: WorkflowState = { workflowId: '', phase: 'requested', failedGates: [] }

function evolve(state: WorkflowState, event: WorkflowMessage): WorkflowState {
  switch (event.type) {
    case 'WorkflowRequested':
      return { ...state, workflowId: event.data.workflowId, request: event.data.request }
    case 'WorkspacePrepared':
      return { ...state, workDir: event.data.workDir }
    case 'QualityGateResult': {
      const { gateId, passed, mandatory, workItemId } = event.data
      // Each item has the gate to itself: that one passed says nothing of another.
      const failure = workItemId === undefined ? gateId : `${gateId} of ${workItemId}`
      const others = state.failedGates.filter((failed) => failed !== failure)
      return { ...state, phase: 'checked', failedGates: passed || !mandatory ? others : [...others, failure] }
    }
    default: {
      const phase = PHASES[event.type] ?? state.phase
      const reason = 'reason' in event.data ? event.data.reason : undefined
      return { ...state, phase, ...(typeof reason === 'string' && { reason }) }
    }
  }
}

function send(data: WorkflowCommand): ProcessMessage {
  return { topic: WORKFLOW_TOPIC, key: data.workflowId, type: 'WorkflowCommand', data }
}

const toWorkspace =
  (kind: 'prepare' | 'deliver' | 'discard') =>
  ({ workflowId, request = { task: '' }, workDir }: WorkflowState) =>
    send({ kind, workflowId, request, ...(workDir !== undefined && { workDir }) })

const startSession = ({ workflowId, request = { task: '' }, workDir = '.' }: WorkflowState) =>
  send({
    kind: 'session',
    workflowId,
    command: { type: 'createSession', ...request, sessionId: workflowId, workDir },
  })

const stopSession = ({ workflowId }: WorkflowState) =>
  send({
    kind: 'stop',
    workflowId,
    command: { type: 'cancelSession', sessionId: workflowId, reason: 'the workflow is undone' },
  })

/** Only what belongs to a workflow: a session of another kind has a stream, but no request. */
function workflowOf(event: AnyEvent & object, isWorkflow: (sessionId: string) => boolean): string | undefined {
  // A stranger's event may have the name and not the data.
  if (typeof event.data !== 'object' || event.data === null) return undefined
  const { workflowId } = event.data as { readonly workflowId?: unknown }
  if (typeof workflowId === 'string' && OWN.has(event.type) && isWorkflow(workflowId)) return workflowId
  const recorded = isRecordedEvent(event as never) ? (event as unknown as { readonly stream: string }) : undefined
  return recorded !== undefined && HEARD.has(event.type) && isWorkflow(recorded.stream) ? recorded.stream : undefined
}

const HEARD: ReadonlySet<string> = new Set([
  ...Object.keys(PHASES),
  'SessionCompleted',
  'SessionFailed',
  'SessionCancelled',
])

const OWN: ReadonlySet<string> = new Set<WorkflowEvent['type']>([
  'WorkflowRequested',
  'WorkspacePrepared',
  'WorkspaceRefused',
  'WorkspaceDiscarded',
  'DiscardFailed',
  'WorkflowSessionStarted',
  'WorkflowSessionRefused',
  'WorkflowSessionStopped',
  'WorkflowSessionNotStopped',
  'WorkDelivered',
  'DeliveryFailed',
])

/** Ids of workflows begin so; their sessions have the same id. */
export const WORKFLOW_PREFIX = 'wf-'

/** The saga as data; for `startProcessManager`, or given/when/then with `ProcessSpecification`. */
export function dualAgentWorkflow(timeouts: WorkflowTimeouts = {}): ProcessManager<WorkflowState, WorkflowMessage> {
  const { workspaceMs, sessionMs, deliveryMs } = { ...defaultTimeouts, ...timeouts }
  return defineProcessManager({
    name: 'dual-agent-workflow',
    initialState: () => initial,
    evolve,
    correlate: (event) => workflowOf(event, (stream) => stream.startsWith(WORKFLOW_PREFIX)),
    steps: {
      workspace: {
        command: toWorkspace('prepare'),
        doneBy: ['WorkspacePrepared'],
        failedBy: ['WorkspaceRefused'],
        timeoutMs: workspaceMs,
        compensation: {
          command: toWorkspace('discard'),
          doneBy: ['WorkspaceDiscarded'],
          failedBy: ['DiscardFailed'],
          timeoutMs: workspaceMs,
        },
      },
      session: {
        command: startSession,
        doneBy: ['SessionCompleted'],
        failedBy: ['SessionFailed', 'SessionCancelled', 'WorkflowSessionRefused'],
        timeoutMs: sessionMs,
        compensation: {
          command: stopSession,
          doneBy: ['WorkflowSessionStopped'],
          failedBy: ['WorkflowSessionNotStopped'],
        },
      },
      delivery: {
        command: toWorkspace('deliver'),
        doneBy: ['WorkDelivered'],
        failedBy: ['DeliveryFailed'],
        timeoutMs: deliveryMs,
      },
    },
    nextActions: ({ request, reason, failedGates }, { steps }) => {
      if (request === undefined) return []
      for (const step of ['workspace', 'session', 'delivery'] as const) {
        if (steps[step] === 'timed-out') return [{ kind: 'compensate', reason: `the ${step} took too long` }]
        if (steps[step] === 'failed') return [{ kind: 'compensate', reason: why(step, reason, failedGates) }]
        if (steps[step] !== 'completed') return [{ kind: 'start', step }]
      }
      return [{ kind: 'complete' }]
    },
  })
}

function why(step: string, reason = 'no reason given', failedGates: readonly string[] = []): string {
  const gates = failedGates.length > 0 ? ` (failed gates: ${failedGates.join(', ')})` : ''
  return `the ${step} failed: ${reason}${gates}`
}
