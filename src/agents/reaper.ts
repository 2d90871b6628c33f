import type { Presence } from '../store/event-store.ts'
import { claimedCalls } from './session/decide.ts'
import type { CallState, SessionState } from './session/state.ts'
import type { SessionLog } from './session-log.ts'

/** Puts calls of dead owners in doubt, from where the session's policy goes on. */
export class Reaper {
  readonly #sessions: SessionLog
  readonly #presence: Presence
  readonly #own: string

  /** `own`: who lives as long as this process asks, and need not be asked about. */
  constructor(sessions: SessionLog, presence: Presence, own: string) {
    this.#sessions = sessions
    this.#presence = presence
    this.#own = own
  }

  /** Looks after every call of one session that somebody else has claimed; says how many were put in doubt. */
  async reap(sessionId: string, state: SessionState): Promise<number> {
    const dead: CallState[] = []
    for (const call of claimedCalls(state)) {
      if (call.owner === this.#own) continue
      if ((await this.#presence.liveness(call.owner ?? '')) === 'dead') dead.push(call)
    }
    for (const { callId, epoch, owner } of dead) {
      const reason = `its owner ${owner} died before it reported`
      await this.#sessions.handle(sessionId, { kind: 'doubt', callId, epoch, reason })
    }
    return dead.length
  }
}
