import type { Clock } from '../core/clock.ts'
import type { DuologError } from '../core/errors.ts'
import type { AnyEvent } from '../core/event.ts'
import type { PoisonOptions } from '../processing/poison-policy.ts'
import type { ProcessState } from '../processing/process-state.ts'
import type { Processor } from '../processing/processor-options.ts'
import type { Projected } from '../processing/projection.ts'
import { type RunningProcessManager, startProcessManager } from '../processing/start-process-manager.ts'
import { invalidArgument } from '../store/check-arguments.ts'
import type { EventStore } from '../store/event-store.ts'
import {
  aClock,
  aFunction,
  anObject,
  anything,
  aStore,
  checkOptions,
  integerFrom,
  optional,
  type Shape,
  withFunctions,
} from './check-options.ts'
import { AgentCommandHandler } from './cqrs/agent-command-handler.ts'
import { agentCommandSchemas } from './cqrs/agent-commands.ts'
import {
  defaultTimeouts,
  dualAgentWorkflow,
  WORKFLOW_PREFIX,
  type WorkflowState,
  type WorkflowTimeouts,
} from './dual-agent-workflow.ts'
import { check } from './explain-issues.ts'
import { newSessionId } from './names.ts'
import { answer, type WorkflowEvent, type WorkflowRequest } from './workflow-events.ts'
import { startWorkflowWorker, type Workspace } from './workflow-worker.ts'

/*
 * Runs the workflow saga: the process manager, and whoever carries out what it asks for.
 */

/** What {@link DualAgentWorkflowSaga} takes. */
export interface DualAgentWorkflowSagaOptions extends PoisonOptions {
  /** Any backing; it is yours to close, after the saga. */
  readonly store: EventStore
  readonly workspace: Workspace
  readonly timeouts?: WorkflowTimeouts
  /** Workflows this instance prepares, delivers or discards at once, per partition. Default 8. */
  readonly concurrency?: number
  /** What timers go by. Default: the system's. */
  readonly clock?: Clock
  /** Hears of each message that the saga passed over or put aside. */
  readonly onSkipped?: (message: Projected, error: unknown) => void
  readonly onError?: (error: unknown) => void
}

const DEFAULT_CONCURRENCY = 8

const OPTIONS: Shape<DualAgentWorkflowSagaOptions> = {
  store: aStore,
  workspace: withFunctions(['prepare', 'deliver', 'discard'], 'a workspace'),
  timeouts: optional(anObject),
  concurrency: optional(integerFrom(1)),
  clock: optional(aClock),
  poison: anything,
  unreadable: anything,
  stranger: anything,
  onSkipped: optional(aFunction),
  onError: optional(aFunction),
}

const TIMEOUTS: Shape<WorkflowTimeouts> = {
  workspaceMs: optional(integerFrom(1)),
  sessionMs: optional(integerFrom(1)),
  deliveryMs: optional(integerFrom(1)),
}

function checkSagaOptions(options: DualAgentWorkflowSagaOptions): void {
  checkOptions('options of DualAgentWorkflowSaga', options, OPTIONS)
  if (options.timeouts !== undefined) checkOptions('timeouts', options.timeouts, TIMEOUTS)
}

/**
 * Work of two agents from a request to its delivery, or undone: workspace → session (assign → completion → review → gates)
 * → delivery. The session's calls are made by `ManagerAgentService` and `WorkerAgentService`, wherever they run. Any number
 * of instances may run; they share the work.
 */
export class DualAgentWorkflowSaga {
  /** Resolves when this instance has its share of the work. */
  readonly ready: Promise<void>
  /**
   * Resolves when it has stopped: with nothing by `stop`, or because its store closed; with the reason where it cannot go on
   * (CHECKPOINT_AHEAD: a topic is not the one it had read; `onError` heard of it).
   */
  readonly ended: Promise<DuologError | undefined>
  /** Resolves when it has stopped, with the reason if a policy (`poison`, `unreadable`, `stranger`) asked for it. */
  readonly stopped: Promise<string | undefined>
  readonly #store: EventStore
  readonly #manager: RunningProcessManager<WorkflowState>
  readonly #worker: Processor

  /** @throws INVALID_ARGUMENT naming the field */
  constructor(options: DualAgentWorkflowSagaOptions) {
    checkSagaOptions(options)
    const { store, workspace, timeouts, concurrency = DEFAULT_CONCURRENCY, ...given } = options
    const { clock, onError } = given
    this.#store = store
    this.#manager = startProcessManager<WorkflowState, AnyEvent>({
      ...given,
      store,
      manager: dualAgentWorkflow(timeouts) as never,
    })
    this.#worker = startWorkflowWorker({
      store,
      workspace,
      commands: new AgentCommandHandler({ store, ...(clock && { clock }) }),
      limits: { ...defaultTimeouts, ...timeouts },
      concurrency,
      ...(onError && { onError }),
    })
    this.ready = Promise.all([this.#manager.ready, this.#worker.ready]).then(() => {})
    this.ready.catch(() => {}) // whoever awaits it hears of it
    this.stopped = this.#manager.stopped
    void this.stopped.then(() => this.#worker.stop())
    // One without the other would ask and nobody answer, or the other way round.
    const ends = [this.#manager.ended, this.#worker.ended]
    for (const end of ends) void end.then((failure) => failure && this.stop())
    this.ended = Promise.all(ends).then((failures) => failures.find((failure) => failure !== undefined))
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
    await Promise.all([this.#manager.stop(), this.#worker.stop()])
  }
}
