import type { Clock } from '../core/clock.ts'
import type { Decider } from '../core/decider.ts'
import { type CommandHandler, createCommandHandler } from '../store/command-handler.ts'
import type { Checkpoint, EventStore } from '../store/event-store.ts'
import { systemClock } from '../store/system.ts'
import { type AsOf, asOfNow } from './as-of.ts'
import { sessionStateBefore } from './fold-session.ts'
import type { SessionCommand } from './session/commands.ts'
import { decideSession } from './session/decide.ts'
import { evolveSession, initialSessionState } from './session/evolve.ts'
import type { SessionEvent } from './session/schemas.ts'
import type { SessionState } from './session/state.ts'
import { sessionSnapshot } from './session/state-json.ts'
import { taskMessages } from './tasks.ts'

/** The session as a decider: fold it, test it with given/when/then, or drive it yourself. */
export const sessionDecider: Decider<SessionState, SessionCommand, SessionEvent> = {
  initialState: initialSessionState,
  decide: decideSession,
  evolve: evolveSession,
}

export interface HandleOptions {
  readonly checkpoint?: Checkpoint
  readonly causationId?: string
  readonly idempotencyKey?: string
  /** The session should be new: it is not looked for first. Where it is there, the events that were made of the command were made in vain. */
  readonly isFirst?: boolean
}

export interface Handled {
  readonly state: SessionState
  /** What this command added; empty when there was nothing to do. */
  readonly events: readonly SessionEvent[]
  readonly version: number
  /** No older than this. */
  readonly asOf: AsOf
}

/** Sessions in a store: loads them and handles their commands; the tasks of reserved calls leave in the same append (P2). */
export class SessionLog {
  readonly store: EventStore<SessionEvent>
  readonly #clock: Clock
  readonly #handler: CommandHandler<SessionState, SessionCommand, SessionEvent>

  constructor(store: EventStore<SessionEvent>, clock: Clock = systemClock) {
    this.store = store
    this.#clock = clock
    this.#handler = createCommandHandler({
      store,
      decider: sessionDecider,
      maxAttempts: 50,
      stateBefore: (first) => sessionStateBefore(store as EventStore, first),
      snapshot: sessionSnapshot,
      snapshotFrom: 'state',
    })
  }

  async handle(sessionId: string, command: SessionCommand, options: HandleOptions = {}): Promise<Handled> {
    const asOf = asOfNow(this.#clock)
    const timed = { nowMs: this.#clock.now(), ...command }
    const handled = await this.#handler.handle(sessionId, timed, {
      ...options,
      outgoing: (events, state) => taskMessages(sessionId, events, state),
    })
    return { state: handled.state, events: handled.events, version: handled.currentStreamVersion, asOf }
  }

  /** Its state is kept no longer; whoever asks for it reads it anew. */
  forget(sessionId: string): void {
    this.#handler.forget(sessionId)
  }

  async load(sessionId: string): Promise<{ state: SessionState; version: number; asOf: AsOf }> {
    const asOf = asOfNow(this.#clock)
    const { state, currentStreamVersion } = await this.#handler.load(sessionId)
    return { state, version: currentStreamVersion, asOf }
  }
}
