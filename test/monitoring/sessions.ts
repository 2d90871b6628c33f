import type { SessionEvent } from '../../src/agents/session/schemas.ts'
import { sessionStore } from '../../src/agents/session/session-events.ts'
import { settingsSchema } from '../../src/agents/session/settings.ts'
import type { NewEvent } from '../../src/core/event.ts'
import type { EventStore } from '../../src/store/event-store.ts'

/* Sessions as the page needs them: begun, and going on for as long as a test likes. */

export async function beginSession(store: EventStore, sessionId: string, task = 'Make it'): Promise<void> {
  const settings = settingsSchema.parse({})
  const data = { task, workDir: '/work', settings, owner: 'o', createdBy: 'test' }
  await sessionStore(store).appendToStream(sessionId, [{ type: 'SessionCreated', data }])
}

const BATCH = 500

/** Appends so many events that change nothing; the note of each says which it is. */
export async function goOn(store: EventStore, sessionId: string, count: number, note = ''): Promise<void> {
  for (let done = 0; done < count; done += BATCH) {
    const events = Array.from({ length: Math.min(BATCH, count - done) }, () => noted(note))
    await sessionStore(store).appendToStream(sessionId, events)
  }
}

function noted(note: string): NewEvent<SessionEvent> {
  return { type: 'WorkflowStateUpdated', data: { phase: 'execution', note } }
}
