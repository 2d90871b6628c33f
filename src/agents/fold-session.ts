import type { RecordedEvent } from '../core/event.ts'
import type { EventStore } from '../store/event-store.ts'
import { evolveSession, initialSessionState } from './session/evolve.ts'
import type { SessionEvent } from './session/schemas.ts'
import { sessionStore } from './session/session-events.ts'
import type { SessionState } from './session/state.ts'

/** An event of a session, and the session right after it. */
export interface SessionStep {
  readonly event: RecordedEvent<SessionEvent>
  readonly state: SessionState
}

/**
 * A session event by event, each with the state after it, up to position `to`. A fork begins on the state of the session it
 * comes from, which is read first; its own events only are yielded.
 */
export async function* foldSession(
  store: EventStore,
  sessionId: string,
  options: { readonly to?: number } = {},
): AsyncGenerator<SessionStep, void, undefined> {
  let state = initialSessionState()
  for await (const event of sessionStore(store).readStream(sessionId, options)) {
    if (event.streamPosition === 1) state = await sessionStateBefore(store, event)
    state = evolveSession(state, event)
    yield { event, state }
  }
}

/** A session as it was right after position `to` (default: as it is); version 0 when there is none. */
export async function sessionStateAt(
  store: EventStore,
  sessionId: string,
  to?: number,
): Promise<{ state: SessionState; version: number }> {
  let last: SessionStep | undefined
  for await (const step of foldSession(store, sessionId, to === undefined ? {} : { to })) last = step
  return { state: last?.state ?? initialSessionState(), version: last?.event.streamPosition ?? 0 }
}

/** The state that a session's first event changes: of a fork, that of the session it was forked from. */
export async function sessionStateBefore(store: EventStore, first: SessionEvent): Promise<SessionState> {
  if (first.type !== 'SessionForked') return initialSessionState()
  return (await sessionStateAt(store, first.data.from, first.data.atVersion)).state
}
