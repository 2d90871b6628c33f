import type { RecordedEvent } from '../../core/event.ts'
import { checkStore } from '../../store/check-arguments.ts'
import type { EventStore } from '../../store/event-store.ts'
import { aName, checkArgument } from '../check-options.ts'
import { sessionStateBefore } from '../fold-session.ts'
import { evolveSession, initialSessionState } from '../session/evolve.ts'
import type { SessionEvent } from '../session/schemas.ts'
import { sessionStore } from '../session/session-events.ts'
import type { SessionState } from '../session/state.ts'
import { type SessionView, sessionView } from '../session/view.ts'

/** One session's state, event by event; what comes too early, or is another session's, is refused, so it is the log's state or none. */
export class SessionStateProjection {
  readonly sessionId: string
  readonly #store: EventStore
  #state: SessionState = initialSessionState()
  #version = 0

  constructor(store: EventStore, sessionId: string) {
    checkStore(store)
    checkArgument('sessionId', sessionId, aName)
    this.#store = store
    this.sessionId = sessionId
  }

  /** Right after the last applied event. */
  get state(): SessionState {
    return this.#state
  }

  /** The last applied event's position; 0 before the first. */
  get version(): number {
    return this.#version
  }

  /**
   * Takes in the next event; one that was taken in before changes nothing.
   * @throws RangeError when events in between are missing, or the event is another session's
   */
  async apply(event: RecordedEvent<SessionEvent>): Promise<void> {
    if (event.stream !== this.sessionId) {
      throw new RangeError(`An event of "${event.stream}" is not one of session "${this.sessionId}"`)
    }
    if (event.streamPosition <= this.#version) return
    if (event.streamPosition > this.#version + 1) {
      throw new RangeError(
        `Event ${this.#version + 1} of session "${this.sessionId}" is due, not ${event.streamPosition}`,
      )
    }
    const before = event.streamPosition === 1 ? await sessionStateBefore(this.#store, event) : this.#state
    // Somebody else may have brought the first one in meanwhile.
    if (event.streamPosition <= this.#version) return
    this.#state = evolveSession(before, event)
    this.#version = event.streamPosition
  }

  /** Takes in everything the log has by now, or up to a position. */
  async catchUp(options: { readonly to?: number } = {}): Promise<this> {
    const tail = { ...options, from: this.#version + 1 }
    for await (const event of sessionStore(this.#store).readStream(this.sessionId, tail)) await this.apply(event)
    return this
  }

  /** As people and programs are shown it. */
  view(): SessionView {
    return sessionView(this.sessionId, this.#state, this.#version)
  }
}
