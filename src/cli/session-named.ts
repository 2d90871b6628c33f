import { isSession } from '../agents/session/session-events.ts'
import { DuologError } from '../core/errors.ts'
import type { EventStore } from '../store/event-store.ts'

const LEAST_CHARACTERS = 4
/** What a command says of its argument. */
export const SESSION_ID = `its id, or its first or last characters, at least ${LEAST_CHARACTERS}, if no other session has them`

const WHOLE = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i
const MOST_NAMED = 5

/**
 * The id of the session that is meant. Ids begin with the time and end at random, so sessions of one minute differ in their
 * last characters. What nothing is known of stays as it is: whoever looks for it says so.
 *
 * @throws INVALID_ARGUMENT naming those that are meant, where they are several
 */
export async function sessionNamed(store: EventStore, given: string): Promise<string> {
  if (WHOLE.test(given) || given.length < LEAST_CHARACTERS || (await isSession(store, given))) return given
  const found = await sessionsLike(store, given)
  if (found.length > 1) throw ambiguous(given, found)
  return found[0] ?? given
}

async function sessionsLike(store: EventStore, given: string): Promise<readonly string[]> {
  const found: string[] = []
  for await (const { stream } of store.listStreams()) {
    const isLike = stream.startsWith(given) || stream.endsWith(given)
    if (isLike && (await isSession(store, stream))) found.push(stream)
    if (found.length > MOST_NAMED) break
  }
  return found
}

function ambiguous(given: string, found: readonly string[]): DuologError {
  const named = found.slice(0, MOST_NAMED).join(', ')
  const more = found.length > MOST_NAMED ? ' and others' : ''
  return new DuologError(
    'INVALID_ARGUMENT',
    `session: "${given}" may be ${named}${more}. Give more characters: ids of one time differ at their end.`,
  )
}
