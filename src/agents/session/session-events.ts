import type { EventStore } from '../../store/event-store.ts'
import type { SessionEvent } from './schemas.ts'

/** The store, seen as holding sessions. */
export function sessionStore(store: EventStore): EventStore<SessionEvent> {
  return store
}
