import type { RecordedEvent } from '../core/event.ts'
import type { EventStore } from '../store/event-store.ts'
import { type FollowOptions, followStream } from '../store/follow-stream.ts'
import { aSignal, checkOptions, integerFrom, optional } from './check-options.ts'
import type { SessionEvent } from './session/schemas.ts'
import { sessionStore } from './session/session-events.ts'

/** The events of a session, typed: its history and then its future, until the signal fires. */
export function followSession(
  store: EventStore,
  sessionId: string,
  options: FollowOptions = {},
): AsyncGenerator<RecordedEvent<SessionEvent>, void, undefined> {
  checkOptions('options of followSession', options, { from: optional(integerFrom(1)), signal: optional(aSignal) })
  return followStream(sessionStore(store), sessionId, options)
}
