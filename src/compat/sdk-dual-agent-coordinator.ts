import { EventEmitter } from 'node:events'
import type { SessionView } from '../agents/session/view.ts'
import { DuologError } from '../core/errors.ts'
import { checkNames } from '../core/known-names.ts'
import { messageOf } from '../core/message-of.ts'
import { type CoordinatorExtras, EXTRAS } from './coordinator-extras.ts'
import { HandoffTally } from './handoff-tally.ts'
import { HostPicture } from './host-picture.ts'
import { HostRun } from './host-run.ts'
import type { Told } from './host-scene.ts'
import { fullConfig } from './host-settings.ts'
import type {
  AgentCoordinatorConfig,
  AgentMessage,
  ExecutionContext,
  HandoffMetrics,
  HandoffValidation,
  SDKDualAgentOptions,
  WorkflowState,
} from './host-types.ts'
import { contextOf, workflowStateOf } from './host-views.ts'
import { monitoringUrl } from './monitoring-posts.ts'

/**
 * The class of that name of automatic-claude-code, over a log: the same methods, events and getters, while everything is run by
 * `KafkaAgentCoordinator`, so that a killed run goes on and nothing is paid twice in silence.
 *
 * Events: `agents_initialized`, `coordination_event`, `message_sent`, `agent_error`, `coordination_shutdown`; never `error`.
 * A listener that throws is reported as a warning and changes nothing. Getters answer copies, at any time.
 */
export class SDKDualAgentCoordinator extends EventEmitter {
  readonly #config: Partial<AgentCoordinatorConfig>
  readonly #extras: CoordinatorExtras
  readonly #tally = new HandoffTally()
  #picture = new HostPicture('')
  #current: { readonly run: HostRun; readonly over: Promise<void> } | undefined

  /**
   * Without any effect on the world: the log is opened, and the executor looked for, by `startCoordination`.
   * @throws INVALID_ARGUMENT on an extra that does not exist, or a `monitoring` that is no URL; config and options may hold what the host likes
   */
  constructor(config: Partial<AgentCoordinatorConfig> = {}, extras: CoordinatorExtras = {}) {
    super()
    checkNames('extras', extras, EXTRAS)
    if (extras.monitoring !== undefined) monitoringUrl(extras.monitoring)
    this.#config = { ...config }
    this.#extras = extras
  }

  /**
   * Has the request planned, worked on and reviewed. Resolves when the session has completed, waits (for a person, for money,
   * at `maxIterations`) or was shut down; which of them, `getWorkflowState` and the events say.
   *
   * @throws "Claude Code SDK is not available…" without an executor · SESSION_FAILED with the reason, unless
   * `continueOnError` · INVALID_ARGUMENT while another run of this instance is under way · what the log says
   */
  async startCoordination(userRequest: string, options: SDKDualAgentOptions = {}): Promise<void> {
    if (this.#current !== undefined) {
      throw new DuologError(
        'INVALID_ARGUMENT',
        'startCoordination: a run of this coordinator is under way. Wait for it, or make another coordinator.',
      )
    }
    const run = new HostRun({
      config: this.#config,
      extras: this.#extras,
      userRequest,
      options,
      onPicture: (picture) => this.#see(picture),
      tell: (told) => this.#tell(told),
      warn: (error, message) => this.#warn(error, message),
    })
    const over = Promise.withResolvers<void>()
    this.#current = { run, over: over.promise }
    try {
      refuseFailed(await run.run(), options)
    } finally {
      this.#current = undefined
      this.#emit('coordination_shutdown')
      over.resolve()
    }
  }

  /** Pauses the session that runs (`resume` goes on with it) and waits until everything is closed. Never throws. */
  async shutdown(): Promise<void> {
    this.#current?.run.stop()
    await this.#current?.over
  }

  getExecutionContext(): ExecutionContext {
    return structuredClone(contextOf(this.#picture, fullConfig(this.#config)))
  }

  getWorkflowState(): WorkflowState {
    return structuredClone(workflowStateOf(this.#picture))
  }

  /** Of the newest run. */
  getCommunicationHistory(): AgentMessage[] {
    return structuredClone(this.#picture.history)
  }

  getHandoffMetrics(): HandoffMetrics {
    return this.#tally.metrics()
  }

  validateSDKHandoffExecution(): HandoffValidation {
    return this.#tally.validation()
  }

  #see(picture: HostPicture): void {
    this.#picture = picture
    this.#tally.see(picture)
  }

  /** Listeners get copies, too: what they do to them changes nothing here. */
  #tell({ name, payload }: Told): void {
    this.#emit(name, structuredClone(payload))
  }

  #emit(name: string, ...payload: unknown[]): void {
    try {
      this.emit(name, ...payload)
    } catch (error) {
      this.#warn(error, `A listener of "${name}" failed: ${messageOf(error)}`)
    }
  }

  #warn(error: unknown, message: string): void {
    if (this.#extras.logger === undefined) process.emitWarning(message, { code: 'DUOLOG_COMPAT' })
    else this.#extras.logger.warn({ error }, message)
  }
}

function refuseFailed({ status, sessionId, reason }: SessionView, { continueOnError }: SDKDualAgentOptions): void {
  const isBad = status === 'failed' || status === 'cancelled'
  if (isBad && !continueOnError) {
    throw new DuologError('SESSION_FAILED', `Session ${sessionId} ${status}: ${reason ?? 'without a reason'}`)
  }
}
