import { DuologError, type DuologErrorOptions, isDuologError } from '../core/errors.ts'
import type { BlobReference } from '../store/blobs.ts'

/*
 * The port to whoever does the work: a script, a command line agent, a model behind an SDK.
 */

/** Who is asked: the Manager plans and reviews, the Worker works. */
export type AgentRole = 'manager' | 'worker'
/** What a call is for. */
export type AgentPurpose = 'plan' | 'work' | 'review'

/** One call of an agent, as it was reserved in the log. */
export interface AgentRequest {
  /** Unique within the session; the same call asked again after a doubt has another id. */
  readonly callId: string
  readonly sessionId: string
  readonly role: AgentRole
  readonly purpose: AgentPurpose
  /** The whole text for the agent, instructions of the session included. */
  readonly prompt: string
  readonly workItemId?: string
  /** Of the quality gate that this call is the judge of. */
  readonly gateId?: string
  /** From 1; a revision is a new attempt. For a plan: how often a plan has been asked for. */
  readonly attempt: number
  /** From 1: the calls for one attempt, when an earlier one failed, was stopped or is in doubt. Default 1. */
  readonly try?: number
  /** JSON Schema the answer should satisfy (plan and review). */
  readonly outputSchema?: object
  /** As the session's `models` name it. Default: the executor's own. */
  readonly model?: string
  /** Where the agent works: an absolute path. */
  readonly workDir: string
  /** As the session's `allowedTools` name them. Default: what the executor allows. */
  readonly allowedTools?: readonly string[]
  /** Not to be used, whether or not `allowedTools` names the tools there are: a person said no, or not yes so far. */
  readonly deniedTools?: readonly string[]
  /** Milliseconds; then the call is stopped, with all it started, and has failed. */
  readonly timeoutMs: number
  /** What the call may spend, US dollars. Default: no limit. */
  readonly maxBudgetUsd?: number
  /**
   * The executor's own session to go on with, where it has one; of a call that died before it could report it, the id of
   * that call.
   */
  readonly resume?: string
}

/** What a call used of one model. */
export interface ModelUsage {
  /** Those read from a cache among them. */
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cacheReadTokens?: number
  readonly costUsd?: number
}

/** Tokens and turns used, where the executor knows. */
export interface AgentUsage {
  readonly inputTokens?: number
  readonly outputTokens?: number
  /** Rounds of the model. */
  readonly turns?: number
  /** By the name of the model; one call may use several. */
  readonly models?: Readonly<Record<string, ModelUsage>>
  /** More was used than is said here (by a try that failed, say): budgets count the reservation where that is more. */
  readonly incomplete?: true
}

/** A tool that an agent used within a call, for people who ask later what was done. */
export interface ToolCall {
  /** `Bash`, `Write`. */
  readonly tool: string
  /** What it was used on: `npm test`, `src/a.ts`. The log keeps 200 characters, secrets redacted. */
  readonly input?: string
  /** How often in a row. Default 1. */
  readonly count?: number
  /** ISO time of the first of them. */
  readonly firstAt?: string
  /** All that came after the first 100. */
  readonly summary?: true
}

/** What a call came to. */
export interface AgentResult {
  /** What the agent said; of a plan or review, text that holds JSON when `structured` is missing. */
  readonly output: string
  /** Set when `output` was shortened: how many characters it had. */
  readonly fullOutputChars?: number
  /** Where the whole of a shortened `output` is (`readCallOutput`). Not for executors to set. */
  readonly outputRef?: BlobReference
  /** The answer as data, where the executor has it apart from the text. */
  readonly structured?: unknown
  readonly usage?: AgentUsage
  /** US dollars. Default 0. */
  readonly costUsd?: number
  /** It cost more than `costUsd`, nobody knows how much: budgets count the reservation where that is more. */
  readonly costUnknown?: true
  /** The executor's own session, for `resume`. */
  readonly executorSessionId?: string
  /** Paths of files made or changed, relative to the work directory. */
  readonly artifacts?: readonly string[]
  /** What the call did to the work directory, where the executor knows better than a look at it would tell. */
  readonly changes?: WorkDirChanges
  /** In order. Each becomes an event beside the call's outcome: one for equal ones in a row, at most 100, then a summary. */
  readonly toolCalls?: readonly ToolCall[]
}

/** What a call did to its work directory, as the reviewer is shown it and the log keeps it. */
export interface WorkDirChanges {
  /** From git, or by comparing files. */
  readonly by: 'git' | 'files'
  /** A git tree: what the difference is to. The next attempt at the work item is compared to the same. */
  readonly base?: string | undefined
  /** Relative to the work directory; at most 500. */
  readonly files: readonly string[]
  /** Of all files that changed, those not listed included. */
  readonly fileCount: number
  /** The difference in words, shortened in its middle. */
  readonly text: string
}

/** A sign of life of a running call, for people. */
export interface AgentProgress {
  readonly message: string
}

/** What an executor gets beside the request. */
export interface AgentContext {
  /** Fires on cancellation, time-out or loss of the claim: stop at once, with the whole process tree, and reject. */
  readonly signal: AbortSignal
  /** For people who watch. Never throws; what comes after the call has ended is dropped. */
  progress(event: AgentProgress): void
}

/** What a call that failed had already cost and done. Errors of an executor may carry it. */
export type PaidFor = Pick<AgentResult, 'costUsd' | 'costUnknown' | 'usage' | 'executorSessionId' | 'toolCalls'>

/**
 * Executes one call: `guardedExecutor` around it adds the time-out, the check of the result, the redaction of secrets.
 *
 * A rejection is a failed call. Reject with a `DuologError` whose `retry` is not 'never' when another try makes sense,
 * and with an `ExecutorFailedError` when the failed call cost money.
 */
export interface AgentExecutor {
  /** Makes the call. Runs as long as it needs, within `request.timeoutMs`; must stop when the signal fires. */
  execute(request: AgentRequest, context: AgentContext): Promise<AgentResult>
  /** Ends what the executor keeps open between calls. Safe to call twice. */
  close?(): Promise<void>
}

/**
 * Why a call failed, where that says how the session goes on: at a rate limit (with `retry: { afterMs }`) it waits until then,
 * at the end of the call's own budget until a person raises it. Neither counts as a failure of the call.
 */
export type FailedBecause = 'rate-limit' | 'budget'

/** What an {@link ExecutorFailedError} may carry. */
export interface ExecutorFailedOptions extends DuologErrorOptions {
  readonly paidFor?: PaidFor
  readonly because?: FailedBecause | undefined
}

/** `EXECUTOR_FAILED`, with what the call had cost by then. */
export class ExecutorFailedError extends DuologError {
  override readonly name = 'ExecutorFailedError'
  readonly paidFor: PaidFor
  readonly because?: FailedBecause

  constructor(message: string, options: ExecutorFailedOptions = {}) {
    super('EXECUTOR_FAILED', message, options)
    this.paidFor = options.paidFor ?? {}
    if (options.because !== undefined) this.because = options.because
  }
}

/** Works across copies of the package. */
export function becauseOf(error: unknown): FailedBecause | undefined {
  return isDuologError(error, 'EXECUTOR_FAILED') && 'because' in error ? (error.because as FailedBecause) : undefined
}

/** `ABORTED`, with what the call had cost when it was stopped. */
export class CallStoppedError extends DuologError {
  override readonly name = 'CallStoppedError'
  readonly paidFor: PaidFor

  constructor(message: string, options: Pick<DuologErrorOptions, 'cause'> & { readonly paidFor?: PaidFor } = {}) {
    super('ABORTED', message, options)
    this.paidFor = options.paidFor ?? {}
  }
}

/** What the failed or stopped call had cost, or nothing. Works across copies of the package. */
export function paidForOf(error: unknown): PaidFor {
  const mayKnow = isDuologError(error, 'EXECUTOR_FAILED') || isDuologError(error, 'ABORTED')
  return mayKnow && 'paidFor' in error ? (error.paidFor as PaidFor) : {}
}

/** What an executor fails with instead of EXECUTOR_FAILED (no key, no folder) came before anything was paid. */
export function whatItCost(error: unknown): PaidFor {
  const beforePay = isDuologError(error) && error.code !== 'EXECUTOR_FAILED' && error.code !== 'ABORTED'
  return beforePay ? { costUsd: 0 } : paidForOf(error)
}
