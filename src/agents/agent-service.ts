import { type DuologError, isDuologError } from '../core/errors.ts'
import type { RecordedMessage } from '../core/event.ts'
import type { Logger } from '../core/logger.ts'
import type { Consumer, ConsumerContext, EventStore } from '../store/event-store.ts'
import type { CallRunner } from './call-runner.ts'
import type { CallRole } from './session/state.ts'
import { Slots } from './slots.ts'
import { type AgentTask, agentTaskSchema, QUALITY_GATE_RESULT, taskTopics } from './tasks.ts'

/*
 * Serves one role: reads the role's task topic, claims a call, runs it outside the poll loop (P9), reports. The claim and
 * the consumer's checkpoint are one append (P2, P6): a task is never read without being claimed, nor claimed twice.
 */

export interface AgentServiceOptions {
  readonly role: CallRole
  readonly store: EventStore
  readonly runner: CallRunner
  /** Calls at one time. Default 1. */
  readonly concurrency?: number
  /** Services of one group share the tasks. Default `duolog.<role>`. */
  readonly group?: string
  readonly logger: Logger
}

export class AgentService {
  readonly #options: AgentServiceOptions
  readonly #slots: Slots
  readonly #ended = Promise.withResolvers<DuologError | undefined>()
  /** Resolves when it takes no more tasks: with the reason, where it was not stopped (CHECKPOINT_AHEAD). */
  readonly ended = this.#ended.promise
  #consumer: Consumer | undefined

  constructor(options: AgentServiceOptions) {
    this.#options = options
    this.#slots = new Slots(options.concurrency ?? 1)
  }

  /** Resolves when the service reads its topic. */
  async start(): Promise<void> {
    const { store, role, group, logger } = this.#options
    this.#consumer ??= store.consume({
      group: group ?? `duolog.${role}`,
      topics: [taskTopics[role]],
      handler: (message, context) => this.#take(message, context),
      onError: (error, message, attempt) =>
        logger.warn({ error, key: message?.key, attempt }, 'A task could not be taken; it will be tried again'),
    })
    void this.#consumer.ended.then((failure) => {
      if (failure !== undefined) logger.error({ error: failure, role }, `The ${role} service ended: ${failure.message}`)
      this.#ended.resolve(failure)
    })
    await this.#consumer.ready
  }

  /** Takes no more tasks, stops what runs (reported as cancelled, so that another service goes on), then resolves. */
  async stop(reason = 'the service is shutting down'): Promise<void> {
    await Promise.all([this.#consumer?.stop(), this.#options.runner.stop(reason)])
  }

  async #take(message: RecordedMessage, context: ConsumerContext): Promise<void> {
    const task = this.#readTask(message)
    if (task === undefined || task.dispatch !== 'topics' || task.role !== this.#options.role) return
    const release = await this.#slots.take(context.signal)
    try {
      const started = await this.#start(task, message, context)
      if (started === undefined) release()
      else void started.done.then(release, release)
    } catch (error) {
      release()
      throw error
    }
  }

  async #start(task: AgentTask, message: RecordedMessage, { checkpoint }: ConsumerContext) {
    const { runner, logger } = this.#options
    try {
      return await runner.start(task.sessionId, task.callId, { checkpoint, causationId: message.eventId })
    } catch (error) {
      if (!isDuologError(error, 'SESSION_NOT_FOUND') && !isDuologError(error, 'CALL_NOT_FOUND')) throw error
      logger.warn({ task, error: error.message }, 'A task for something that does not exist was passed over')
      return undefined
    }
  }

  #readTask(message: RecordedMessage): AgentTask | undefined {
    if (message.type === QUALITY_GATE_RESULT) return undefined
    const parsed = agentTaskSchema.safeParse(message.data)
    if (parsed.success) return parsed.data
    const { topic, partition, offset, type } = message
    this.#options.logger.warn({ topic, partition, offset, type }, 'A record that is no agent task was passed over')
    return undefined
  }
}
