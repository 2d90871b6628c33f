import type { RecordedEvent } from '../../core/event.ts'
import type { Appended, AppendOptions, EventStore, ReadStreamOptions } from '../../store/event-store.ts'
import type { SessionEvent } from '../session/schemas.ts'
import { sessionStore } from '../session/session-events.ts'

/** The events of sessions, typed and checked: what is no event of a session is refused before anything is written. */
export class SessionEventStore {
  readonly #store: EventStore<SessionEvent>

  constructor(store: EventStore) {
    this.#store = sessionStore(store)
  }

  /**
   * Appends events as they are, past the session's rules: for imports and repairs. Who drives a session gives it commands
   * (`KafkaAgentCoordinator`, `AgentCommandService`).
   * @throws INVALID_EVENT · UNKNOWN_EVENT_TYPE · ExpectedVersionConflictError
   */
  appendEvents(sessionId: string, events: readonly SessionEvent[], options?: AppendOptions): Promise<Appended> {
    return this.#store.appendToStream(sessionId, events, options)
  }

  /** A session's own events in order; none when there is no such session. */
  loadEvents(sessionId: string, options?: ReadStreamOptions): AsyncIterable<RecordedEvent<SessionEvent>> {
    return this.#store.readStream(sessionId, options)
  }
}
