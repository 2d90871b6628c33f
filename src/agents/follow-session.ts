import type { RecordedEvent } from '../core/event.ts'
import type { EventStore } from '../store/event-store.ts'
import { type FollowOptions, followStream } from '../store/follow-stream.ts'
import type { SessionEvent } from './session/schemas.ts'
import { sessionStore } from './session/session-events.ts'

/** The events of a session, typed: its history and then its future, until the signal fires. */
export function followSession(
  store: EventStore,
  sessionId: string,
  options: FollowOptions = {},
): AsyncGenerator<RecordedEvent<SessionEvent>, void, undefined> {
  return followStream(sessionStore(store), sessionId, options)
}
