import type { Clock } from '../core/clock.ts'
import type { DuologError } from '../core/errors.ts'
import type { RecordedMessage } from '../core/event.ts'
import { isRecordedEvent } from '../core/event.ts'
import type { Logger } from '../core/logger.ts'
import type { Consumer, EventStore } from '../store/event-store.ts'
import type { Reaper } from './reaper.ts'
import { isSession } from './session/session-events.ts'
import { isEnded } from './session/state.ts'
import type { SessionLog } from './session-log.ts'
import { fireDue } from './session-runner.ts'

/*
 * Looks after the sessions that services run ('topics'): puts the calls of dead owners in doubt, so that the session's
 * policy goes on. Any number may run, each looks after all sessions (so no group is shared: a session without new events
 * must not be forgotten when partitions move); the log lets each thing happen once.
 */

export interface SupervisorOptions {
  readonly sessions: SessionLog
  readonly store: EventStore
  readonly reaper: Reaper
  readonly reapEveryMs: number
  readonly clock: Clock
  /** Unique to this process; its group is named after it. */
  readonly owner: string
  readonly logger: Logger
}

const beginnings = new Set(['SessionCreated', 'SessionForked'])
const endings = new Set(['SessionCompleted', 'SessionFailed', 'SessionCancelled'])

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #active = new Set<string>()
  readonly #ended = Promise.withResolvers<DuologError | undefined>()
  /** Resolves when it hears of no more sessions: with the reason, where it was not stopped (CHECKPOINT_AHEAD). */
  readonly ended = this.#ended.promise
  #consumer: Consumer | undefined
  #timer: NodeJS.Timeout | undefined
  #round: Promise<void> | undefined
  #stopping = false

  constructor(options: SupervisorOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { store, owner, reapEveryMs, logger } = this.#options
    this.#consumer ??= store.consume({
      group: `duolog.coordinator.${owner}`,
      topics: [store.eventTopic],
      from: 'end',
      handler: async (message) => this.#note(message),
      onError: (error) => logger.warn({ error }, 'The coordinator could not read an event; it will be tried again'),
    })
    void this.#consumer.ended.then((failure) => {
      if (failure !== undefined) logger.error({ error: failure }, `The coordinator ended: ${failure.message}`)
      this.#ended.resolve(failure)
    })
    await this.#consumer.ready
    await this.#findActive()
    this.#timer ??= setInterval(() => this.#look(), reapEveryMs)
  }

  async stop(): Promise<void> {
    this.#stopping = true
    clearInterval(this.#timer)
    await this.#consumer?.stop()
    await this.#round
  }

  #note(message: RecordedMessage): void {
    if (!isRecordedEvent(message)) return
    if (endings.has(message.type)) this.#active.delete(message.stream)
    else if (beginnings.has(message.type)) this.#active.add(message.stream)
  }

  /** Sessions that were under way before this process began to read. */
  async #findActive(): Promise<void> {
    const { store } = this.#options
    for await (const { stream } of store.listStreams()) if (await isSession(store, stream)) this.#active.add(stream)
  }

  /** One round at a time: one that takes longer than the time between two is not queued behind. */
  #look(): void {
    this.#round ??= this.#lookAfterAll().finally(() => {
      this.#round = undefined
    })
  }

  async #lookAfterAll(): Promise<void> {
    for (const sessionId of this.#active) {
      if (this.#stopping) return
      try {
        await this.#lookAfter(sessionId)
      } catch (error) {
        this.#options.logger.warn({ error, sessionId }, 'A session could not be looked after; it will be tried again')
      }
    }
  }

  async #lookAfter(sessionId: string): Promise<void> {
    const { state } = await this.#options.sessions.load(sessionId)
    if (state.status === 'unborn' || isEnded(state)) this.#active.delete(sessionId)
    else if (!(await fireDue(this.#options, sessionId, state))) await this.#options.reaper.reap(sessionId, state)
  }
}
