import { DuologError } from '../core/errors.ts'
import { checkStore } from '../store/check-arguments.ts'
import type { EventStore } from '../store/event-store.ts'
import { anything, checkOptions } from './check-options.ts'
import { sessionStateAt } from './fold-session.ts'
import { isSession } from './session/session-events.ts'
import { type ApprovalState, isEnded } from './session/state.ts'
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
  checkOptions('options of readSession', options, { at: anything })
  const { at } = options
  if (at !== undefined && !(Number.isInteger(at) && at > 0))
    throw badPosition(`must be a whole number from 1, not ${at}`)
  const { state, version } = await sessionStateAt(store, sessionId, at)
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
  checkStore(store)
  const summaries: SessionSummary[] = []
  for await (const { stream, lastEventAt } of store.listStreams()) {
    if (!(await isSession(store, stream))) continue
    const { state, version } = await sessionStateAt(store, stream)
    const { sessionId, status, task, totals, owner, reason } = sessionView(stream, state, version)
    summaries.push({ sessionId, status, version, task, totals, owner, lastEventAt, ...(reason && { reason }) })
  }
  return summaries.sort((a, b) => b.lastEventAt.localeCompare(a.lastEventAt))
}

/** The session that was touched last of those that have not ended. @throws SESSION_NOT_FOUND when there is none */
export async function newestUnended(store: EventStore): Promise<string> {
  const streams = await Array.fromAsync(store.listStreams())
  streams.sort((a, b) => b.lastEventAt.localeCompare(a.lastEventAt))
  for (const { stream } of streams) {
    // A log may hold other streams than sessions.
    if ((await isSession(store, stream)) && !isEnded((await sessionStateAt(store, stream)).state)) return stream
  }
  throw new DuologError(
    'SESSION_NOT_FOUND',
    'There is no unfinished session in this log. Start one with: duolog run "<task>"',
  )
}

/** What a session waits for a person to approve. */
export interface RequestedApproval extends ApprovalState {
  readonly sessionId: string
}

/** Every approval that some session of the log still waits for. */
export async function listApprovals(store: EventStore): Promise<RequestedApproval[]> {
  const sessions = await listSessions(store)
  const views = await Promise.all(
    sessions.filter((session) => !isEnded(session)).map(({ sessionId }) => readSession(store, sessionId)),
  )
  return views.flatMap(({ sessionId, approvals }) =>
    approvals.filter(({ status }) => status === 'requested').map((approval) => ({ ...approval, sessionId })),
  )
}
