import type { EventStore } from '../store/event-store.ts'
import type { AgentRequest } from './executor.ts'
import { type Cassette, cassetteOf, type Recording, recordingOf } from './executors/cassette.ts'
import { foldSession } from './fold-session.ts'
import { sessionNotFound } from './read-sessions.ts'
import { createRedactor, type Redact } from './redact.ts'
import { requestFor } from './session/requests.ts'
import type { SessionEvent, SessionEventData } from './session/schemas.ts'
import { callById, type SessionState } from './session/state.ts'

/**
 * The calls of a session, completed and failed ones, as a cassette. The log holds no prompts: each is computed again from
 * the state at its claim, as it was then. Calls in doubt or stopped have no answer and are left out; a session that still
 * runs gives what it has.
 *
 * @throws SESSION_NOT_FOUND
 */
export async function cassetteFromSession(
  store: EventStore,
  sessionId: string,
  options: { readonly redact?: Redact } = {},
): Promise<Cassette> {
  const redact = options.redact ?? createRedactor()
  const requests = new Map<string, AgentRequest>()
  const recordings: Recording[] = []
  let known = false
  for await (const { event, state } of foldSession(store, sessionId)) {
    known = true
    noteClaim(requests, sessionId, state, event)
    const ended = endOf(event)
    const request = ended && requests.get(ended.callId)
    if (ended && request) recordings.push(recordingOf(request, ended.outcome, redact))
  }
  if (!known) throw sessionNotFound(sessionId)
  return cassetteOf(recordings)
}

function noteClaim(
  requests: Map<string, AgentRequest>,
  sessionId: string,
  state: SessionState,
  event: SessionEvent,
): void {
  if (event.type !== 'AgentCallClaimed') return
  const call = callById(state, event.data.callId)
  if (call !== undefined && call.role !== 'gate') requests.set(call.callId, requestFor(sessionId, state, call))
}

interface EndedCall {
  readonly callId: string
  readonly outcome: Recording['outcome']
}

function endOf(event: SessionEvent): EndedCall | undefined {
  if (event.type === 'AgentCallCompleted') return { callId: event.data.callId, outcome: completed(event.data) }
  return event.type === 'AgentCallFailed' ? { callId: event.data.callId, outcome: failed(event.data) } : undefined
}

function completed(data: SessionEventData['AgentCallCompleted']): Recording['outcome'] {
  const { callId: _, epoch: __, durationMs: ___, requestDigest: ____, changes, ...result } = data
  if (changes === undefined) return { result }
  const { base: _____, ...replayable } = changes
  return { result: { ...result, changes: replayable } }
}

function failed({ error, retryable, costUsd }: SessionEventData['AgentCallFailed']): Recording['outcome'] {
  return { error: { ...error, retry: retryable ? 'now' : 'never', paidFor: { costUsd } } }
}
