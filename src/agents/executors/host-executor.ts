/*
 * An executor of the shape `executeWithSDK(prompt, options)`, as the host's coordinator uses it, behind our port. Whether
 * a call went well is read from `exitCode` and `hasError`, never from the words of its output.
 */
import * as z from 'zod'
import { DuologError } from '../../core/errors.ts'
import { aBoolean, checkArgument, checkOptions, optional, withFunctions } from '../check-options.ts'
import {
  type AgentExecutor,
  type AgentRequest,
  type AgentResult,
  ExecutorFailedError,
  type PaidFor,
} from '../executor.ts'
import { check } from '../explain-issues.ts'
import { headAndTail } from './captured-text.ts'

/** What {@link fromExecuteWithSDK} asks for one call. */
export interface HostCallOptions {
  readonly model?: string
  readonly workDir: string
  /** The host's own session to go on with. */
  readonly sessionId?: string
  readonly verbose: boolean
  /** Milliseconds. */
  readonly timeout: number
  /** A comma list. */
  readonly allowedTools?: string
}

/** What the host answers. */
export interface HostCallResult {
  readonly output: string
  readonly exitCode: number
  readonly sessionId?: string | undefined
  readonly messages: readonly unknown[]
  readonly hasError: boolean
  /** Milliseconds. */
  readonly executionTime: number
}

/** The host's executor, as far as it is used. */
export interface HostExecutor {
  executeWithSDK(prompt: string, options: HostCallOptions): Promise<HostCallResult>
  isAvailable?(): boolean | Promise<boolean>
}

const UNAVAILABLE = 2
const QUOTED_CHARS = 2_000
const SOON = { afterMs: 1_000 }

/** Of ours: a call that died before it told a session of the host's is begun anew, since the host knows no such session. */
const CALL_ID = /^(plan|work|review|gate):/

const answerSchema = z.object({
  output: z.string(),
  exitCode: z.int(),
  sessionId: z.string().nullish(),
  messages: z.array(z.unknown()).default([]),
  hasError: z.boolean(),
})

/**
 * Uses an object with `executeWithSDK`. Calls reject with EXECUTOR_INVALID when it is not available (exit code 2), and
 * with EXECUTOR_FAILED (retry after 1 s) on any other exit code than 0, on `hasError`, and on an answer of another shape.
 *
 * The shape has no way to stop a call: when the signal fires, the call is waited for, then rejects with ABORTED;
 * `guardedExecutor` limits the wait and says that the call may still be at work.
 */
export function fromExecuteWithSDK(host: HostExecutor, options: { readonly verbose?: boolean } = {}): AgentExecutor {
  checkArgument('host', host, withFunctions(['executeWithSDK'], 'an object with executeWithSDK(prompt, options)'))
  checkOptions('options of fromExecuteWithSDK', options, { verbose: optional(aBoolean) })
  return {
    async execute(request, { signal }) {
      if (signal.aborted) throw aborted(signal)
      if ((await host.isAvailable?.()) === false) throw unavailable('isAvailable() says no')
      const answer = await host.executeWithSDK(request.prompt, hostOptions(request, options.verbose ?? false))
      if (signal.aborted) throw aborted(signal)
      return resultOf(answer)
    },
  }
}

function hostOptions(
  { model, workDir, resume, timeoutMs, allowedTools }: AgentRequest,
  verbose: boolean,
): HostCallOptions {
  return {
    ...(model === undefined ? {} : { model }),
    workDir,
    ...(resume === undefined || CALL_ID.test(resume) ? {} : { sessionId: resume }),
    verbose,
    timeout: timeoutMs,
    ...(allowedTools === undefined ? {} : { allowedTools: allowedTools.join(',') }),
  }
}

function resultOf(answer: unknown): AgentResult {
  const checked = check(answerSchema, answer)
  if (!checked.ok)
    throw new ExecutorFailedError(`The host's answer cannot be used: ${checked.errors.join('; ')}.`, { retry: SOON })
  const { output, exitCode, sessionId, messages, hasError } = checked.value
  if (exitCode === UNAVAILABLE) throw unavailable(quoted(output))
  const paidFor = { ...costOf(messages), ...(sessionId ? { executorSessionId: sessionId } : {}) }
  if (exitCode === 0 && !hasError) return { output, ...paidFor }
  const how = exitCode === 0 ? 'reports an error' : `ended with exit code ${exitCode}`
  throw new ExecutorFailedError(`The host's call ${how}. It says: ${quoted(output)}`, { retry: SOON, paidFor })
}

const resultMessage = z.object({
  type: z.literal('result'),
  total_cost_usd: z.number().nonnegative().optional(),
  session_id: z.string().optional(),
  num_turns: z.int().nonnegative().optional(),
  usage: z.object({ input_tokens: z.number().optional(), output_tokens: z.number().optional() }).optional(),
})

/** From the SDK's result message, where the host passes it on. */
function costOf(messages: readonly unknown[]): PaidFor {
  const last = messages.map((message) => resultMessage.safeParse(message)).findLast(({ success }) => success)?.data
  if (last === undefined) return {}
  const { total_cost_usd: costUsd, session_id: executorSessionId, usage, num_turns: turns } = last
  const { input_tokens: inputTokens, output_tokens: outputTokens } = usage ?? {}
  return {
    ...(costUsd === undefined ? {} : { costUsd }),
    ...(executorSessionId === undefined ? {} : { executorSessionId }),
    ...(inputTokens === undefined || outputTokens === undefined
      ? {}
      : { usage: { inputTokens, outputTokens, ...(turns === undefined ? {} : { turns }) } }),
  }
}

function unavailable(why: string): DuologError {
  const advice = 'Install and log in to what the host runs, then try again'
  return new DuologError('EXECUTOR_INVALID', `Claude Code SDK is not available: ${why}. ${advice}.`)
}

function aborted({ reason }: AbortSignal): DuologError {
  return new DuologError('ABORTED', 'The call was stopped.', { cause: reason })
}

function quoted(text: string): string {
  return text.trim() === '' ? 'nothing' : headAndTail(text.trim(), QUOTED_CHARS)
}
