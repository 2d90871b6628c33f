import { DuologError } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import { type BlobReference, getBlob, putBlob } from '../store/blobs.ts'
import type { EventStore } from '../store/event-store.ts'
import { sessionNotFound } from './read-sessions.ts'
import type { SessionEvent, SessionEventData } from './session/schemas.ts'
import { sessionStore } from './session/session-events.ts'

/*
 * Outputs above the limit: the event holds beginning, end and a reference, the store's blobs the whole.
 *
 * O1 The blob is durable before the event is; an event never points to what was never there.
 * O2 No fold, list, comparison or cassette reads it: only who asks for this call's output (`readCallOutput`).
 * O3 A paid answer is not given up because its whole text cannot be kept: then there is no reference.
 */

/** Keeps a whole output, and says where; nothing when it could not. */
export type KeepOutput = (output: string) => Promise<BlobReference | undefined>

/** Nothing for a store without blobs. */
export function outputKeeper({ blobs }: EventStore, logger: Logger): KeepOutput | undefined {
  if (blobs === undefined) return undefined
  return async (output) => {
    const bytes = Buffer.from(output)
    try {
      return await putBlob(blobs, bytes)
    } catch (error) {
      logger.warn({ error, size: bytes.length }, 'A long output could not be kept whole; its beginning and end are')
      return undefined
    }
  }
}

/**
 * All that a call answered, secrets redacted; of a fork also of the calls it inherited.
 * @throws SESSION_NOT_FOUND · CALL_NOT_FOUND when the call has no answer (yet) · BLOB_MISSING · BLOB_CORRUPT
 */
export async function readCallOutput(store: EventStore, sessionId: string, callId: string): Promise<string> {
  const answer = await answerOf(store, sessionId, callId)
  if (answer === undefined) {
    throw new DuologError(
      'CALL_NOT_FOUND',
      `Session "${sessionId}" has no answer of a call "${callId}". See its calls with: duolog show ${sessionId} --json`,
    )
  }
  return answer.outputRef === undefined ? answer.output : wholeOutput(store, answer.outputRef, callId)
}

type Answer = SessionEventData['AgentCallCompleted']

/** A call has one answer at most, in the session that made it. */
async function answerOf(
  store: EventStore,
  sessionId: string,
  callId: string,
  to?: number,
): Promise<Answer | undefined> {
  let first: SessionEvent | undefined
  for await (const event of sessionStore(store).readStream(sessionId, to === undefined ? {} : { to })) {
    first ??= event
    if (event.type === 'AgentCallCompleted' && event.data.callId === callId) return event.data
  }
  if (first === undefined) throw sessionNotFound(sessionId)
  return first.type === 'SessionForked' ? answerOf(store, first.data.from, callId, first.data.atVersion) : undefined
}

async function wholeOutput({ blobs }: EventStore, reference: BlobReference, callId: string): Promise<string> {
  const otherwise = 'Its beginning and its end stand in its event.'
  const bytes = await getBlob(blobs, reference, { what: `The output of ${callId}`, otherwise })
  return Buffer.from(bytes).toString()
}
