import { ExponentialBackoff, halfJitterGenerator, type IBackoff } from 'cockatiel'
import type { RetryAdvice } from '../core/errors.ts'
import { checkNames, type Given, type Names } from '../core/known-names.ts'
import { checkFunction, checkNameList, checkNumber } from '../store/check-arguments.ts'
import { pause } from '../store/wake-ups.ts'

/** When something that failed is tried again. */
export interface RetryPolicy {
  /** Tries in all. Default 5. */
  readonly maxAttempts?: number
  /** Pause before the second try; doubles with each, half of it at random. Default 100. */
  readonly firstPauseMs?: number
  /** Default 30,000. */
  readonly longestPauseMs?: number
  /** No further try when it would begin later than this after the first, milliseconds. Default: no limit. */
  readonly maxElapsedMs?: number
  /** Only errors whose `code` is one of these are tried again. Default: whatever `isRetryable` says. */
  readonly retryableCodes?: readonly string[]
  /** Default: everything, but what says `retry: 'never'` of itself. */
  readonly isRetryable?: (error: unknown) => boolean
}

const DEFAULT_ATTEMPTS = 5
const DEFAULT_FIRST_PAUSE_MS = 100
const DEFAULT_LONGEST_PAUSE_MS = 30_000

const NAMES: Names<RetryPolicy> = {
  maxAttempts: true,
  firstPauseMs: true,
  longestPauseMs: true,
  maxElapsedMs: true,
  retryableCodes: true,
  isRetryable: true,
}

/** @throws INVALID_ARGUMENT naming the field. */
export function checkRetryPolicy(given: unknown): void {
  checkNames('retry', given, NAMES)
  const policy = given as Given<RetryPolicy>
  const { maxAttempts = 1, retryableCodes, isRetryable } = policy
  checkNumber('retry.maxAttempts', maxAttempts, 1)
  for (const name of ['firstPauseMs', 'longestPauseMs', 'maxElapsedMs'] as const) {
    if (policy[name] !== undefined) checkNumber(`retry.${name}`, policy[name], 0)
  }
  if (retryableCodes !== undefined) checkNameList('retry.retryableCodes', retryableCodes, 'code')
  if (isRetryable !== undefined) checkFunction('retry.isRetryable', isRetryable)
}

/** Whether the policy tries again after this error at all. */
export function isRetryable({ retryableCodes, isRetryable = mayHelp }: RetryPolicy, error: unknown): boolean {
  return retryableCodes === undefined ? isRetryable(error) : retryableCodes.includes(codeOf(error) ?? '')
}

/** Where `isRetryable` itself throws, `onThrow` hears of it and the default answers. */
export function withSafeQuestion(policy: RetryPolicy, onThrow: (error: unknown) => void): RetryPolicy {
  const { isRetryable } = policy
  if (isRetryable === undefined) return policy
  const asked = (error: unknown) => {
    try {
      return isRetryable(error)
    } catch (thrown) {
      onThrow(thrown)
      return mayHelp(error)
    }
  }
  return { ...policy, isRetryable: asked }
}

/** The pauses of one thing that is tried again and again. */
export class RetryPauses {
  readonly #policy: RetryPolicy
  readonly #startedMs: number
  #backoff: IBackoff<unknown> | undefined
  #attempts = 0

  constructor(policy: RetryPolicy, startedMs: number = performance.now()) {
    this.#policy = policy
    this.#startedMs = startedMs
  }

  /** Tries that failed and count. */
  get attempts(): number {
    return this.#attempts
  }

  /** How long to wait before the next try; nothing: give up. An error's own `retry.afterMs` is the least. */
  afterFailure(error: unknown, nowMs: number = performance.now()): number | undefined {
    const { maxAttempts = DEFAULT_ATTEMPTS, maxElapsedMs = Number.POSITIVE_INFINITY } = this.#policy
    if (++this.#attempts >= maxAttempts || !isRetryable(this.#policy, error)) return undefined
    const backoff: IBackoff<unknown> = this.#backoff?.next(undefined) ?? backoffOf(this.#policy)
    this.#backoff = backoff
    const pauseMs = Math.max(backoff.duration, afterMsOf(error))
    return nowMs - this.#startedMs + pauseMs > maxElapsedMs ? undefined : pauseMs
  }
}

/** Half of each pause at random, so that many do not come at once. */
function backoffOf(policy: RetryPolicy): IBackoff<unknown> {
  const { firstPauseMs = DEFAULT_FIRST_PAUSE_MS, longestPauseMs = DEFAULT_LONGEST_PAUSE_MS } = policy
  const delays = { initialDelay: firstPauseMs, maxDelay: longestPauseMs, generator: halfJitterGenerator }
  return new ExponentialBackoff(delays).next()
}

/** Tries `call` as the policy says; rejects with the last error, or at once when the signal fires. */
export async function tryAgain<T>(
  policy: RetryPolicy,
  call: (attempt: number) => Promise<T>,
  { signal, onFailure }: { readonly signal?: AbortSignal; readonly onFailure?: (error: unknown) => void } = {},
): Promise<T> {
  const pauses = new RetryPauses(policy)
  for (let attempt = 1; ; attempt++) {
    try {
      return await call(attempt)
    } catch (error) {
      const pauseMs = signal?.aborted ? undefined : pauses.afterFailure(error)
      if (pauseMs === undefined) throw error
      onFailure?.(error)
      await pause(pauseMs, signal)
      if (signal?.aborted) throw error
    }
  }
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

function adviceOf(error: unknown): RetryAdvice | undefined {
  return error instanceof Error && 'retry' in error ? (error.retry as RetryAdvice) : undefined
}

function mayHelp(error: unknown): boolean {
  return adviceOf(error) !== 'never'
}

function afterMsOf(error: unknown): number {
  const advice = adviceOf(error)
  return typeof advice === 'object' && typeof advice?.afterMs === 'number' ? advice.afterMs : 0
}
