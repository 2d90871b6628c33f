import { defineCatalogue, defineEvent } from '../../core/catalogue.ts'
import { checkStore } from '../../store/check-arguments.ts'
import type { EventStore } from '../../store/event-store.ts'
import { withCatalogue } from '../../store/with-catalogue.ts'
import { type SessionEvent, type SessionEventName, sessionEventData } from './schemas.ts'

/**
 * Every event of a session, for `openEventStore(url, { events: sessionEvents })`: data is validated before it is written,
 * and a session written by a newer version of this package is refused by name instead of being misread.
 */
export const sessionEvents = defineCatalogue(
  (Object.keys(sessionEventData) as SessionEventName[]).map((name) =>
    defineEvent({ name, data: sessionEventData[name] }),
  ),
)

/** The store, seen as holding sessions. @throws INVALID_ARGUMENT when it is none */
export function sessionStore(store: EventStore): EventStore<SessionEvent> {
  checkStore(store)
  return withCatalogue(store, sessionEvents) as EventStore<SessionEvent>
}

/** A log may hold other streams than sessions: a session begins with SessionCreated or SessionForked. */
export async function isSession(store: EventStore, stream: string): Promise<boolean> {
  for await (const event of store.readStream(stream, { maxCount: 1 }))
    return event.type === 'SessionCreated' || event.type === 'SessionForked'
  return false
}
