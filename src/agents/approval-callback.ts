/*
 * Answers to approvals over HTTP. A handler from Request to Response, so that any server can mount it.
 *
 * Only POST changes anything; the token is no cookie, so no other site's page can make a browser send it; the body must be
 * declared as JSON, which a form of another site cannot do; and a name that is not this machine's own is refused, so that
 * no foreign name can be pointed at it (DNS rebinding).
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import * as z from 'zod'
import { DuologError, isDuologError } from '../core/errors.ts'
import { LOOPBACK_HOSTS } from '../core/loopback.ts'
import type { EventStore } from '../store/event-store.ts'
import { aStore, aText, checkOptions, optional, type Shape, texts } from './check-options.ts'
import { check } from './explain-issues.ts'
import { sessionStore } from './session/session-events.ts'
import type { ApprovalState } from './session/state.ts'
import { SessionLog } from './session-log.ts'

/** What {@link approvalCallback} takes. */
export interface ApprovalCallbackOptions {
  readonly store: EventStore
  /** At least 16 characters; callers send `Authorization: Bearer TOKEN`. */
  readonly token: string
  /** Host names under which it may be reached. Default: those of this machine alone (localhost, 127.0.0.1, [::1]). */
  readonly allowedHosts?: readonly string[]
}

const OPTIONS: Shape<ApprovalCallbackOptions> = { store: aStore, token: aText, allowedHosts: optional(texts) }

const MAX_BODY_BYTES = 64 * 1024
const MIN_TOKEN_CHARS = 16

const answerSchema = z.strictObject({
  sessionId: z.string().min(1),
  approvalId: z.string().min(1),
  approved: z.boolean(),
  revise: z.boolean().optional(),
  reason: z.string().max(10_000).optional(),
})

type Answer = z.infer<typeof answerSchema>

/**
 * A handler that takes a person's answer: `POST` with `{ sessionId, approvalId, approved, reason?, revise? }`. Answers 200
 * with the approval as it is then, 409 when it had been answered otherwise before, 404 when nobody asked, 401 without the
 * token, 400, 403, 405, 413 and 415 for what cannot be taken. The process that runs the session need not be there:
 * the answer is an event, `resume` goes on.
 *
 * @throws INVALID_ARGUMENT when the token is too short
 */
export function approvalCallback(options: ApprovalCallbackOptions): (request: Request) => Promise<Response> {
  checkOptions('options of approvalCallback', options, OPTIONS)
  const { store, token, allowedHosts = LOOPBACK_HOSTS } = options
  if (token.length < MIN_TOKEN_CHARS) {
    throw new DuologError('INVALID_ARGUMENT', `token: give at least ${MIN_TOKEN_CHARS} characters nobody can guess`)
  }
  const sessions = new SessionLog(sessionStore(store))
  return async (request) => {
    const refusal = refusalOf(request, token, allowedHosts)
    if (refusal !== undefined) return refusal
    const text = await bodyOf(request)
    if (text === undefined) return problem(413, `the body has more than ${MAX_BODY_BYTES} bytes`)
    const answer = check(answerSchema, parsed(text))
    return answer.ok ? record(sessions, answer.value) : problem(400, answer.errors.join('; '))
  }
}

function refusalOf(request: Request, token: string, allowedHosts: readonly string[]): Response | undefined {
  if (!allowedHosts.includes(new URL(request.url).hostname)) return problem(403, 'this host name is not allowed')
  if (!isSame(request.headers.get('authorization') ?? '', `Bearer ${token}`)) {
    return problem(401, 'send the header Authorization: Bearer TOKEN', { 'www-authenticate': 'Bearer' })
  }
  if (request.method !== 'POST') return problem(405, 'only POST answers', { allow: 'POST' })
  const type = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
  return type === 'application/json' ? undefined : problem(415, 'send content-type: application/json')
}

/** Takes as long for a wrong token as for a right one. */
function isSame(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(wanted))
}

/** Undefined when it is too long; the rest is not read then. */
async function bodyOf(request: Request): Promise<string | undefined> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function record(sessions: SessionLog, { sessionId, approvalId, ...given }: Answer): Promise<Response> {
  const { approved, revise, reason } = given
  const answer = { approved, ...(revise && { revise }), ...(reason !== undefined && { reason }) }
  try {
    const { state } = await sessions.handle(sessionId, { kind: 'answer-approval', approvalId, ...answer })
    const approval = state.approvals.get(approvalId)!
    return Response.json({ sessionId, ...approval }, { status: approval.status === wanted(given) ? 200 : 409 })
  } catch (error) {
    if (isDuologError(error, 'SESSION_NOT_FOUND') || isDuologError(error, 'APPROVAL_NOT_FOUND')) {
      return problem(404, error.message)
    }
    if (isDuologError(error, 'INVALID_ARGUMENT')) return problem(400, error.message)
    throw error
  }
}

function wanted({ approved, revise }: Pick<Answer, 'approved' | 'revise'>): ApprovalState['status'] {
  if (revise) return 'revised'
  return approved ? 'given' : 'denied'
}

function problem(status: number, error: string, headers: Record<string, string> = {}): Response {
  return Response.json({ error }, { status, headers })
}
