import type { Clock } from '../core/clock.ts'
import { isDuologError } from '../core/errors.ts'
import type { AnyEvent } from '../core/event.ts'
import { reach } from '../core/reach.ts'
import type { ProcessState } from '../processing/process-state.ts'
import { type RunningProcessManager, startProcessManager } from '../processing/start-process-manager.ts'
import { invalidArgument } from '../store/check-arguments.ts'
import type { Checkpoint, Consumer, EventStore } from '../store/event-store.ts'
import { AgentCommandHandler } from './cqrs/agent-command-handler.ts'
import { agentCommandSchemas } from './cqrs/agent-commands.ts'
import { dualAgentWorkflow, WORKFLOW_PREFIX, type WorkflowState, type WorkflowTimeouts } from './dual-agent-workflow.ts'
import { check } from './explain-issues.ts'
import { newSessionId } from './names.ts'
import {
  answer,
  WORKFLOW_TOPIC,
  type WorkflowCommand,
  type WorkflowEvent,
  type WorkflowRequest,
} from './workflow-events.ts'

/*
 * Runs the workflow saga: the process manager, and whoever carries out what it asks for.
 *
 * P2 The answer to a command and the consumer's checkpoint are one append; its key is the command's id (P5).
 */

/** A workflow, as its workspace sees it. */
export interface Workflow {
  readonly workflowId: string
  readonly request: WorkflowRequest
  /** Absent before it was prepared. */
  readonly workDir?: string
}

/**
 * What surrounds the agents' work. Each may be called again for the same workflow after a crash or without an answer in
 * time, and must then end the same. Who rejects says why: the workflow is undone, or a `discard` tried again.
 */
export interface Workspace {
  /** Makes a place to work: a branch, a worktree, a copy. Answers its path. */
  prepare(workflow: Workflow): Promise<string>
  /** The session was completed and every mandatory gate passed: merges, publishes, hands over. */
  deliver(workflow: Workflow): Promise<void>
  /** Takes away what `prepare` and the agents made; content when there is nothing. */
  discard(workflow: Workflow): Promise<void>
}

/** What {@link DualAgentWorkflowSaga} takes. */
export interface DualAgentWorkflowSagaOptions {
  /** Any backing; it is yours to close, after the saga. */
  readonly store: EventStore
  readonly workspace: Workspace
  readonly timeouts?: WorkflowTimeouts
  /** What timers go by. Default: the system's. */
  readonly clock?: Clock
  readonly onError?: (error: unknown) => void
}

/**
 * Work of two agents from a request to its delivery, or undone: workspace → session (assign → completion → review → gates)
 * → delivery. The session's calls are made by `ManagerAgentService` and `WorkerAgentService`, wherever they run. Any number
 * of instances may run; they share the work.
 */
export class DualAgentWorkflowSaga {
  /** Resolves when this instance has its share of the work. */
  readonly ready: Promise<void>
  readonly #store: EventStore
  readonly #workspace: Workspace
  readonly #commands: AgentCommandHandler
  readonly #manager: RunningProcessManager<WorkflowState>
  readonly #consumer: Consumer

  constructor({ store, workspace, timeouts, clock, onError }: DualAgentWorkflowSagaOptions) {
    this.#store = store
    this.#workspace = workspace
    this.#commands = new AgentCommandHandler({ store, ...(clock && { clock }) })
    this.#manager = startProcessManager<WorkflowState, AnyEvent>({
      store,
      manager: dualAgentWorkflow(timeouts) as never,
      ...(clock && { clock }),
      ...(onError && { onError }),
    })
    this.#consumer = store.consume({
      group: 'dual-agent-workflow.workspace',
      topics: [WORKFLOW_TOPIC],
      handler: async ({ eventId, data }, { checkpoint }) => {
        await this.#carryOut(eventId, data as WorkflowCommand, checkpoint)
      },
      ...(onError && { onError }),
    })
    this.ready = Promise.all([this.#manager.ready, this.#consumer.ready]).then(() => {})
    this.ready.catch(() => {}) // whoever awaits it hears of it
  }

  /**
   * Asks for a workflow; returns its id, which is its session's, too. The same `workflowId` twice is one workflow.
   * @throws INVALID_ARGUMENT naming the field
   */
  async request(request: WorkflowRequest, workflowId = `${WORKFLOW_PREFIX}${newSessionId()}`): Promise<string> {
    if (!workflowId.startsWith(WORKFLOW_PREFIX))
      throw invalidArgument(`workflowId must begin with "${WORKFLOW_PREFIX}".`)
    const checked = check(agentCommandSchemas.createSession, { ...request, sessionId: workflowId, workDir: '.' })
    if (!checked.ok) throw invalidArgument(checked.errors.join('; '))
    const event: WorkflowEvent = { type: 'WorkflowRequested', data: { workflowId, request } }
    await answer(this.#store, event, { idempotencyKey: 'request' })
    return workflowId
  }

  /** How far a workflow is; `status` ends as completed, compensated or partly-compensated. */
  status(workflowId: string): Promise<ProcessState<WorkflowState>> {
    return this.#manager.load(workflowId)
  }

  /** Stops; workflows go on with other instances, or at the next start. Idempotent. */
  async stop(): Promise<void> {
    await Promise.all([this.#manager.stop(), this.#consumer.stop()])
  }

  async #carryOut(eventId: string, command: WorkflowCommand, checkpoint: Checkpoint): Promise<void> {
    reach('workflow.command.begin')
    const event = await this.#answerTo(command, eventId)
    reach('workflow.command.done')
    await answer(this.#store, event, { idempotencyKey: eventId, checkpoint })
  }

  async #answerTo(command: WorkflowCommand, commandId: string): Promise<WorkflowEvent> {
    const { workflowId } = command
    try {
      return await this.#do(command, commandId)
    } catch (error) {
      // The log itself does not get on: that is no answer, the command comes again.
      if (isDuologError(error) && error.retry !== 'never') throw error
      const reason = error instanceof Error ? error.message : String(error)
      return { type: REFUSALS[command.kind], data: { workflowId, reason } }
    }
  }

  async #do(command: WorkflowCommand, commandId: string): Promise<WorkflowEvent> {
    const { workflowId } = command
    switch (command.kind) {
      case 'prepare':
        return { type: 'WorkspacePrepared', data: { workflowId, workDir: await this.#workspace.prepare(command) } }
      case 'deliver':
        await this.#workspace.deliver(command)
        return { type: 'WorkDelivered', data: { workflowId } }
      case 'discard':
        await this.#workspace.discard(command)
        return { type: 'WorkspaceDiscarded', data: { workflowId } }
      case 'session':
        await this.#commands.handle({ ...command.command, commandId })
        return { type: 'WorkflowSessionStarted', data: { workflowId } }
      case 'stop':
        return this.#stopSession(command, commandId)
    }
  }

  /** One that never began is stopped well enough. */
  async #stopSession(command: WorkflowCommand & { kind: 'stop' }, commandId: string): Promise<WorkflowEvent> {
    const { workflowId } = command
    await this.#commands.handle({ ...command.command, commandId }).catch((error: unknown) => {
      if (!isDuologError(error, 'SESSION_NOT_FOUND') && !isDuologError(error, 'SESSION_ENDED')) throw error
    })
    return { type: 'WorkflowSessionStopped', data: { workflowId } }
  }
}

const REFUSALS = {
  prepare: 'WorkspaceRefused',
  deliver: 'DeliveryFailed',
  discard: 'DiscardFailed',
  session: 'WorkflowSessionRefused',
  stop: 'WorkflowSessionNotStopped',
} as const
