/*
 * Stands between the product and an executor of whatever quality. Whatever that one does, the call ends in time, with a
 * result of the right shape and a bounded size or with a DuologError, and with no obvious secret in either.
 */
import { inspect } from 'node:util'
import * as z from 'zod'
import { DuologError, isDuologError } from '../../core/errors.ts'
import { messageOf } from '../../core/message-of.ts'
import { recordedToolCalls, toolCallSchema, usageSchema } from '../call-facts.ts'
import {
  aFunction,
  anExecutor,
  checkArgument,
  checkOptions,
  integerFrom,
  optional,
  type Shape,
} from '../check-options.ts'
import {
  type AgentContext,
  type AgentExecutor,
  type AgentRequest,
  type AgentResult,
  becauseOf,
  CallStoppedError,
  ExecutorFailedError,
  type PaidFor,
  paidForOf,
} from '../executor.ts'
import { check } from '../explain-issues.ts'
import type { KeepOutput } from '../large-outputs.ts'
import { createRedactor, type Redact, redactJson } from '../redact.ts'
import { extractAnswer } from '../structured-output.ts'
import { headAndTail } from './captured-text.ts'
import { keptOutput } from './kept-output.ts'
import { changesSchema } from './result-changes.ts'

/** Limits that {@link guardedExecutor} keeps. */
export interface GuardOptions {
  /** How long an executor may take to settle after it was told to stop, before we go on without it. Default 5,000. */
  readonly stopGraceMs?: number
  /** A longer output keeps its beginning and its end; `fullOutputChars` says how long it was. Default 200,000. */
  readonly maxOutputChars?: number
  /** Is given the whole of a longer one, redacted, and says where it is. Default: it is kept nowhere. */
  readonly keepOutput?: KeepOutput | undefined
  /** Structured answers cannot be cut: a longer one (as JSON) fails the call. Default 500,000. */
  readonly maxStructuredChars?: number
  /** Default: `createRedactor()`. `(text) => text` keeps everything. */
  readonly redact?: Redact
}

const OPTIONS: Shape<GuardOptions> = {
  stopGraceMs: optional(integerFrom(0)),
  maxOutputChars: optional(integerFrom(0)),
  keepOutput: optional(aFunction),
  maxStructuredChars: optional(integerFrom(0)),
  redact: optional(aFunction),
}

const RETRY_AFTER_MS = 1_000
const MAX_TIMER_MS = 2_147_483_647
const MAX_PROGRESS_CHARS = 2_000

const resultSchema = z.object({
  output: z.string(),
  structured: z.unknown().optional(),
  usage: usageSchema.optional(),
  costUsd: z.number().min(0, 'must not be negative').optional(),
  costUnknown: z.literal(true).optional(),
  executorSessionId: z.string().optional(),
  artifacts: z.array(z.string()).optional(),
  fullOutputChars: z.int().min(0).optional(),
  changes: changesSchema.optional(),
  toolCalls: z.array(toolCallSchema).optional(),
})

/**
 * Guards `executor`. Its calls reject with
 * - EXECUTOR_FAILED (retry after 1 s) after `request.timeoutMs`, on a result of the wrong shape, and on any error that is
 *   not a DuologError;
 * - ABORTED when the caller's signal fires;
 * - the executor's own DuologError, its message redacted.
 */
export function guardedExecutor(executor: AgentExecutor, options: GuardOptions = {}): AgentExecutor {
  checkArgument('executor', executor, anExecutor)
  checkOptions('options of guardedExecutor', options, OPTIONS)
  const guard: Guard = { executor, ...limitsOf(options) }
  return {
    execute: (request, context) => execute(guard, request, context),
    close: async () => executor.close?.(),
  }
}

/** The same for an answer that no executor of ours gave: its shape is checked, its size limited, its secrets taken out. */
export async function guardedResult(
  result: unknown,
  request: Pick<AgentRequest, 'outputSchema'>,
  options: GuardOptions = {},
): Promise<AgentResult> {
  return accept(limitsOf(options), request, result)
}

/** What may stand in the log of what an agent says went wrong. */
export function guardedMessage(message: string, { redact = createRedactor() }: GuardOptions = {}): string {
  return headAndTail(redact(message), MAX_PROGRESS_CHARS)
}

function limitsOf(options: GuardOptions): Limits {
  return {
    stopGraceMs: options.stopGraceMs ?? 5_000,
    maxOutputChars: options.maxOutputChars ?? 200_000,
    maxStructuredChars: options.maxStructuredChars ?? 500_000,
    keepOutput: options.keepOutput,
    redact: options.redact ?? createRedactor(),
  }
}

type Limits = Required<GuardOptions>

interface Guard extends Limits {
  readonly executor: AgentExecutor
}

async function execute(guard: Guard, request: AgentRequest, context: AgentContext): Promise<AgentResult> {
  refuseSenseless(request, context.signal)
  const stop = new AbortController()
  const running = start(guard, request, context, stop.signal)
  const stopped = stopReason(request.timeoutMs, context.signal)
  try {
    const reason = await Promise.race([stopped.reason, running.then(ignore, ignore)])
    if (reason === undefined) return accept(guard, request, await running)
    stop.abort(reason)
    throw await settle(guard, running, reason)
  } catch (error) {
    throw redacted(asDuologError(error), guard.redact)
  } finally {
    stopped.release()
  }
}

const ignore = () => undefined

function refuseSenseless({ timeoutMs }: AgentRequest, signal: AbortSignal): void {
  if (signal.aborted)
    throw new DuologError('ABORTED', 'The call was stopped before it began.', { cause: signal.reason })
  if (timeoutMs > 0) return
  throw new DuologError('INVALID_ARGUMENT', `timeoutMs is ${timeoutMs}: give a number of milliseconds above 0.`)
}

/** Also turns a synchronous throw into a rejection. After the call is over, progress goes nowhere. */
async function start(
  guard: Guard,
  request: AgentRequest,
  context: AgentContext,
  signal: AbortSignal,
): Promise<unknown> {
  let over = false
  const progress: AgentContext['progress'] = (event) => {
    if (over || signal.aborted || typeof event?.message !== 'string') return
    context.progress({ message: guard.redact(headAndTail(event.message, MAX_PROGRESS_CHARS)) })
  }
  try {
    return await guard.executor.execute(request, { signal, progress })
  } finally {
    over = true
  }
}

/** Resolves with the error of whichever comes first: the caller's signal or the time limit. */
function stopReason(timeoutMs: number, signal: AbortSignal): { reason: Promise<DuologError>; release(): void } {
  let resolve: (error: DuologError) => void = () => undefined
  const reason = new Promise<DuologError>((settle) => {
    resolve = settle
  })
  const onAbort = () => resolve(stopped(signal.reason))
  const timer = setTimeout(() => resolve(timedOut(timeoutMs)), Math.min(timeoutMs, MAX_TIMER_MS))
  signal.addEventListener('abort', onAbort, { once: true })
  const release = () => {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
  return { reason, release }
}

/** A caller that stops a call because it failed says so in the signal's reason. */
function stopped(reason: unknown): DuologError {
  if (isDuologError(reason, 'EXECUTOR_FAILED')) return reason
  return new DuologError('ABORTED', 'The call was stopped.', { cause: reason })
}

function timedOut(timeoutMs: number): DuologError {
  const advice = 'Raise its time limit if the work needs longer; it may be tried again.'
  return new ExecutorFailedError(`The call took longer than ${timeoutMs} ms and was stopped. ${advice}`, {
    retry: { afterMs: RETRY_AFTER_MS },
  })
}

/** Waits for a stopped executor, but not for ever. What it had cost by then is kept. */
async function settle(guard: Guard, running: Promise<unknown>, reason: DuologError): Promise<DuologError> {
  const late = Symbol('late')
  let timer: NodeJS.Timeout | undefined
  const grace = new Promise((resolve) => {
    timer = setTimeout(resolve, guard.stopGraceMs, late)
  })
  const end = await Promise.race([
    grace,
    running.then(
      (result) => check(resultSchema, result),
      (error: unknown) => error,
    ),
  ])
  clearTimeout(timer)
  if (end !== late) return withCost(reason, costOf(end))
  const message = `${reason.message} It did not stop within ${guard.stopGraceMs} ms and may still be at work in the work directory.`
  return copyOf(reason, message, reason.cause)
}

function withCost(error: DuologError, paidFor: PaidFor): DuologError {
  if (error.code === 'ABORTED') return new CallStoppedError(error.message, { cause: error.cause, paidFor })
  return new ExecutorFailedError(error.message, { retry: error.retry, cause: error.cause, paidFor })
}

function costOf(end: unknown): PaidFor {
  if (end instanceof Error) return paidForOf(end)
  const { ok, value } = end as { ok?: boolean; value?: AgentResult }
  return ok && value ? paid(value) : {}
}

function paid({ costUsd, costUnknown, usage, executorSessionId, toolCalls }: AgentResult): PaidFor {
  return {
    ...(costUsd === undefined ? {} : { costUsd }),
    ...(costUnknown && { costUnknown }),
    ...(usage === undefined ? {} : { usage }),
    ...(executorSessionId === undefined ? {} : { executorSessionId }),
    ...(toolCalls === undefined ? {} : { toolCalls }),
  }
}

async function accept(guard: Limits, request: Pick<AgentRequest, 'outputSchema'>, raw: unknown): Promise<AgentResult> {
  const checked = check(resultSchema, raw)
  if (!checked.ok) throw wrongShape(checked.errors)
  const result = withoutUndefined(checked.value) as unknown as AgentResult
  const structured = structuredOf(guard, request, result)
  return {
    ...result,
    ...(await keptOutput(result, guard)),
    ...(structured === undefined ? {} : { structured: redactJson(structured, guard.redact) }),
    ...(result.toolCalls === undefined ? {} : { toolCalls: recordedToolCalls(result.toolCalls, guard.redact) }),
  }
}

/** As the log will hold it. Of an output about to be cut, the answer is taken while it is whole. */
function structuredOf(guard: Limits, request: Pick<AgentRequest, 'outputSchema'>, result: AgentResult): unknown {
  const cut = request.outputSchema !== undefined && result.output.length > guard.maxOutputChars
  const answer = result.structured === undefined && cut ? extractAnswer(result) : undefined
  const value = answer?.found ? answer.value : result.structured
  if (value === undefined) return undefined
  const json = toJson(value)
  if (json === undefined) throw wrongShape(['structured: cannot be written as JSON (a function, a bigint or a cycle)'])
  if (json.length <= guard.maxStructuredChars) return JSON.parse(json)
  throw wrongShape([
    `structured: has ${json.length} characters as JSON; answer with at most ${guard.maxStructuredChars}`,
  ])
}

function toJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}

function withoutUndefined(value: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined))
}

function wrongShape(errors: string[]): DuologError {
  const wanted =
    'An executor answers { output: "text", structured?, usage?, costUsd?, executorSessionId?, artifacts? }.'
  return new ExecutorFailedError(`The executor's result cannot be used: ${errors.join('; ')}. ${wanted}`, {
    retry: { afterMs: RETRY_AFTER_MS },
  })
}

function asDuologError(error: unknown): DuologError {
  if (isDuologError(error)) return error
  const said = messageOf(error)
  return new ExecutorFailedError(`The executor failed: ${headAndTail(said, MAX_PROGRESS_CHARS)}`, {
    retry: { afterMs: RETRY_AFTER_MS },
    cause: error,
  })
}

function redacted(error: DuologError, redact: Redact): DuologError {
  const message = redact(error.message)
  const cause = redactedCause(error.cause, redact)
  const { toolCalls, ...paidFor } = paidForOf(error)
  const isClean = message === error.message && cause === error.cause && toolCalls === undefined
  if (isClean) return error
  if (toolCalls === undefined) return copyOf(error, message, cause)
  return copyOf(error, message, cause, { ...paidFor, toolCalls: recordedToolCalls(toolCalls, redact) })
}

function copyOf(error: DuologError, message: string, cause: unknown, paidFor = paidForOf(error)): DuologError {
  const { code, retry } = error
  if (code === 'ABORTED') return new CallStoppedError(message, { cause, paidFor })
  if (code === 'EXECUTOR_FAILED')
    return new ExecutorFailedError(message, { retry, cause, paidFor, because: becauseOf(error) })
  return new DuologError(code, message, { retry, cause })
}

/** A cause that holds a secret is replaced by its redacted text; one without stays the object it is. */
function redactedCause(cause: unknown, redact: Redact): unknown {
  const text = inspect(cause, { depth: 4 })
  const clean = redact(text)
  return clean === text ? cause : new Error(clean)
}
