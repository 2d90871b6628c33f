import type { Appended, AppendOptions, EventStore } from '../../store/event-store.ts'
import { aStore, checkOptions, optional, type Shape, withFunctions } from '../check-options.ts'
import type { ForkOptions, ResumeOptions } from '../coordinator-options.ts'
import { sessionStateBefore } from '../fold-session.ts'
import type { Forked } from '../fork-session.ts'
import { KafkaAgentCoordinator } from '../kafka-agent-coordinator.ts'
import { listSessions, readSession, type SessionSummary, sessionNotFound } from '../read-sessions.ts'
import { evolveSession, initialSessionState } from '../session/evolve.ts'
import type { SessionEvent } from '../session/schemas.ts'
import { sessionStore } from '../session/session-events.ts'
import { sessionSnapshot } from '../session/state-json.ts'
import type { SessionView } from '../session/view.ts'
import { SessionEventStore } from './session-event-store.ts'

/** What sessions are managed with. */
export interface SessionManagerOptions {
  /** Any backing; the manager does not close it. */
  readonly store: EventStore
  /** Runs what is resumed. Default: one without executors, which can fork and go on with sessions of services. */
  readonly coordinator?: KafkaAgentCoordinator
}

const OPTIONS: Shape<SessionManagerOptions> = {
  store: aStore,
  coordinator: optional(withFunctions(['resume', 'fork'], 'a KafkaAgentCoordinator')),
}

/** Sessions as a host keeps them: events in, state out, snapshots, lists, and going on from where one was. */
export class EventSourcedSessionManager {
  readonly #store: EventStore
  readonly #events: SessionEventStore
  readonly #coordinator: KafkaAgentCoordinator

  /** @throws INVALID_ARGUMENT naming the field */
  constructor(options: SessionManagerOptions) {
    checkOptions('options of EventSourcedSessionManager', options, OPTIONS)
    const { store, coordinator = new KafkaAgentCoordinator({ store }) } = options
    this.#store = store
    this.#events = new SessionEventStore(store)
    this.#coordinator = coordinator
  }

  /** As {@link SessionEventStore.appendEvents}. */
  appendEvents(sessionId: string, events: readonly SessionEvent[], options?: AppendOptions): Promise<Appended> {
    return this.#events.appendEvents(sessionId, events, options)
  }

  /**
   * The session as its events say it is, or was right after the event at position `at`.
   * @throws SESSION_NOT_FOUND · INVALID_ARGUMENT when `at` lies beyond the end
   */
  rebuildSessionState(sessionId: string, options: { readonly at?: number } = {}): Promise<SessionView> {
    return readSession(this.#store, sessionId, options)
  }

  /**
   * Keeps the session's state beside the log, so that the next process has only the tail to fold. Never truth.
   * @throws SESSION_NOT_FOUND
   */
  async createSnapshot(sessionId: string): Promise<{ readonly sessionId: string; readonly version: number }> {
    const { currentStreamVersion } = await sessionStore(this.#store).aggregateStream(sessionId, {
      evolve: evolveSession,
      initialState: initialSessionState,
      stateBefore: (first) => sessionStateBefore(this.#store, first),
      snapshot: { ...sessionSnapshot, every: 1 },
    })
    if (currentStreamVersion === 0) throw sessionNotFound(sessionId)
    await this.#store.snapshots.idle()
    return { sessionId, version: currentStreamVersion }
  }

  /** Every session of the log, the one touched last first. */
  list(): Promise<SessionSummary[]> {
    return listSessions(this.#store)
  }

  /** As {@link KafkaAgentCoordinator.resume}. */
  resume(sessionId?: string, options?: ResumeOptions): Promise<SessionView> {
    return this.#coordinator.resume(sessionId, options)
  }

  /** As {@link KafkaAgentCoordinator.fork}. */
  fork(sessionId: string, options?: ForkOptions): Promise<Forked> {
    return this.#coordinator.fork(sessionId, options)
  }
}
