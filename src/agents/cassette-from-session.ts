import { DuologError } from '../core/errors.ts'
import type { EventStore } from '../store/event-store.ts'
import { aFunction, anObject, checkOptions, optional } from './check-options.ts'
import type { AgentRequest } from './executor.ts'
import { type Cassette, cassetteOf, type Recording, recordingOf } from './executors/cassette.ts'
import { foldSession, type SessionStep } from './fold-session.ts'
import { type OwnPrompts, promptsWith, type SessionPrompts } from './prompts/session-prompts.ts'
import { sessionNotFound } from './read-sessions.ts'
import { createRedactor, type Redact } from './redact.ts'
import { requestFor } from './session/requests.ts'
import type { SessionEvent, SessionEventData } from './session/schemas.ts'
import { type CallState, callById, type SessionState } from './session/state.ts'

/**
 * The calls of a session, completed and failed ones, as a cassette. The log holds no prompts: each is computed again from
 * the state at its claim, as it was then. Calls in doubt, stopped, or parked by a limit have no answer and are left out; a session that still
 * runs gives what it has. A fork gives what it took over, too: its task can be replayed from the start.
 *
 * A session with prompts of its own needs them here. Without `prompts`, a call asked in other words than the package's
 * (its recorded digest tells) is kept under its true digest and marked `wordingUnknown`: it answers the session's prompts
 * all the same, only a miss cannot show what it was asked. So is a call taken over that was asked in other words than the fork's.
 *
 * @throws SESSION_NOT_FOUND · INVALID_ARGUMENT when `prompts` are given and are not those a call was asked with
 */
export async function cassetteFromSession(
  store: EventStore,
  sessionId: string,
  options: { readonly redact?: Redact; readonly prompts?: OwnPrompts } = {},
): Promise<Cassette> {
  checkOptions('options of cassetteFromSession', options, { redact: optional(aFunction), prompts: optional(anObject) })
  const redact = options.redact ?? createRedactor()
  const prompts = promptsWith(options.prompts)
  const requests = new Map<string, AgentRequest>()
  const recordings: Recording[] = []
  let known = false
  for await (const { event, state, of } of withInherited(store, sessionId)) {
    known = true
    noteClaim(event, { sessionId: of, state, prompts, requests })
    const ended = endOf(event)
    const request = ended && requests.get(ended.callId)
    if (!ended || !request) continue
    const recording = recordingOf(request, ended.outcome, redact)
    const isKnown = ended.requestDigest === undefined || ended.requestDigest === recording.key
    const isOwn = of === sessionId
    if (!isKnown && isOwn && options.prompts !== undefined) throw otherPrompts(state.calls.get(ended.callId)!, prompts)
    recordings.push(isKnown ? recording : wordedOtherwise(recording, ended.requestDigest!))
  }
  if (!known) throw sessionNotFound(sessionId)
  return cassetteOf(recordings)
}

/** Of a fork, the steps it took over first: its own calls go on from their answers. */
async function* withInherited(
  store: EventStore,
  of: string,
  to?: number,
): AsyncGenerator<SessionStep & { readonly of: string }, void, undefined> {
  for await (const step of foldSession(store, of, to === undefined ? {} : { to })) {
    const { type, data } = step.event
    if (type === 'SessionForked') yield* withInherited(store, data.from, data.atVersion)
    yield { ...step, of }
  }
}

interface Claimed {
  readonly sessionId: string
  readonly state: SessionState
  readonly prompts: SessionPrompts
  readonly requests: Map<string, AgentRequest>
}

function noteClaim(event: SessionEvent, { sessionId, state, prompts, requests }: Claimed): void {
  if (event.type !== 'AgentCallClaimed') return
  const call = callById(state, event.data.callId)
  if (call !== undefined && call.role !== 'gate') requests.set(call.callId, requestFor(sessionId, state, call, prompts))
}

function wordedOtherwise({ request, outcome }: Recording, key: string): Recording {
  const prompt = '[asked in words that the log does not hold]'
  return { key, request: { ...request, prompt }, wordingUnknown: true, outcome }
}

function otherPrompts({ callId, purpose, promptVersion }: CallState, prompts: SessionPrompts): DuologError {
  const given = `prompts.${purpose} (version ${JSON.stringify(prompts[purpose].version)})`
  return new DuologError(
    'INVALID_ARGUMENT',
    `${given} is not what ${callId} was asked with: it recorded version ${JSON.stringify(promptVersion)} and another digest. Give the prompts the session ran with, or none.`,
  )
}

interface EndedCall {
  readonly callId: string
  readonly requestDigest?: string | undefined
  readonly outcome: Recording['outcome']
}

function endOf(event: SessionEvent): EndedCall | undefined {
  if (event.type !== 'AgentCallCompleted' && event.type !== 'AgentCallFailed') return undefined
  const { callId, requestDigest } = event.data
  if (event.type === 'AgentCallFailed' && event.data.because !== undefined) return undefined
  const outcome = event.type === 'AgentCallCompleted' ? completed(event.data) : failed(event.data)
  return { callId, requestDigest, outcome }
}

function completed(data: SessionEventData['AgentCallCompleted']): Recording['outcome'] {
  const { callId: _, epoch: __, durationMs: ___, requestDigest: ____, promptVersion: _____, ...ended } = data
  const { outputRef: ______, changes, costUsd, costUnknown, ...rest } = ended
  const result = { ...rest, ...costOf({ costUsd, costUnknown }) }
  if (changes === undefined) return { result }
  const { base: _______, ...replayable } = changes
  return { result: { ...result, changes: replayable } }
}

/** Where nothing is known an executor says nothing. */
function costOf({ costUsd, costUnknown }: { readonly costUsd: number; readonly costUnknown: true | undefined }) {
  if (costUnknown === undefined) return { costUsd }
  return costUsd === 0 ? {} : { costUsd, costUnknown }
}

function failed(data: SessionEventData['AgentCallFailed']): Recording['outcome'] {
  const { error, retryable, costUsd, costUnknown, usage } = data
  const paidFor = { ...costOf({ costUsd, costUnknown }), ...(usage === undefined ? {} : { usage }) }
  return { error: { ...error, retry: retryable ? 'now' : 'never', paidFor } }
}
