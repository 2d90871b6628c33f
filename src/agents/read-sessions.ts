import { DuologError } from '../core/errors.ts'
import type { EventStore } from '../store/event-store.ts'
import { evolveSession, initialSessionState } from './session/evolve.ts'
import { isSession, sessionStore } from './session/session-events.ts'
import type { SessionState } from './session/state.ts'
import { type SessionView, sessionView } from './session/view.ts'

/** A session in a list. */
export interface SessionSummary
  extends Pick<SessionView, 'sessionId' | 'status' | 'version' | 'task' | 'totals' | 'owner' | 'reason'> {
  /** ISO time of the last event. */
  readonly lastEventAt: string
}

/**
 * A session as it is now, or as it was right after the event at position `at`.
 * @throws SESSION_NOT_FOUND · INVALID_ARGUMENT when `at` lies beyond the session's end
 */
export async function readSession(
  store: EventStore,
  sessionId: string,
  options: { readonly at?: number } = {},
): Promise<SessionView> {
  const { at } = options
  if (at !== undefined && !(Number.isInteger(at) && at > 0))
    throw badPosition(`must be a whole number from 1, not ${at}`)
  const { state, version } = await foldUpTo(store, sessionId, at)
  if (state.status === 'unborn') throw sessionNotFound(sessionId)
  if (at !== undefined && version < at) throw badPosition(`the session ends at version ${version}`)
  return sessionView(sessionId, state, version)
}

export function sessionNotFound(sessionId: string): DuologError {
  return new DuologError(
    'SESSION_NOT_FOUND',
    `There is no session "${sessionId}" in this log. List them with: duolog sessions`,
  )
}

function badPosition(problem: string): DuologError {
  return new DuologError('INVALID_ARGUMENT', `at: ${problem}`)
}

/** Every session of a log, the one touched last first. Other streams are passed over. */
export async function listSessions(store: EventStore): Promise<SessionSummary[]> {
  const summaries: SessionSummary[] = []
  for await (const { stream, lastEventAt } of store.listStreams()) {
    if (!(await isSession(store, stream))) continue
    const { state, version } = await foldUpTo(store, stream)
    const { sessionId, status, task, totals, owner, reason } = sessionView(stream, state, version)
    summaries.push({ sessionId, status, version, task, totals, owner, lastEventAt, ...(reason && { reason }) })
  }
  return summaries.sort((a, b) => b.lastEventAt.localeCompare(a.lastEventAt))
}

async function foldUpTo(
  store: EventStore,
  stream: string,
  to?: number,
): Promise<{ state: SessionState; version: number }> {
  let state = initialSessionState()
  let version = 0
  for await (const event of sessionStore(store).readStream(stream, to === undefined ? {} : { to })) {
    state = evolveSession(state, event)
    version = event.streamPosition
  }
  return { state, version }
}
