/** When a handler that failed is tried again. */
export interface RetryPolicy {
  /** Tries in all. Default 5. */
  readonly maxAttempts?: number
  /** Pause before the second try; doubles with each. Default 100. */
  readonly firstPauseMs?: number
  /** Default 30,000. */
  readonly longestPauseMs?: number
  /** No further try when it would begin later than this after the first, milliseconds. Default: no limit. */
  readonly maxElapsedMs?: number
  /** Default: everything, but what says `retry: 'never'` of itself. */
  readonly isRetryable?: (error: unknown) => boolean
}

const DEFAULT_ATTEMPTS = 5
const DEFAULT_FIRST_PAUSE_MS = 100
const DEFAULT_LONGEST_PAUSE_MS = 30_000

/** How long to wait before the next try, half of it at random so that many do not come at once; nothing: give up. */
export function pauseBeforeRetry(
  policy: RetryPolicy,
  { attempt, elapsedMs, error, random }: { attempt: number; elapsedMs: number; error: unknown; random: number },
): number | undefined {
  const { maxAttempts = DEFAULT_ATTEMPTS, maxElapsedMs = Number.POSITIVE_INFINITY, isRetryable = mayHelp } = policy
  const { firstPauseMs = DEFAULT_FIRST_PAUSE_MS, longestPauseMs = DEFAULT_LONGEST_PAUSE_MS } = policy
  if (attempt >= maxAttempts || !isRetryable(error)) return undefined
  const fullMs = Math.min(firstPauseMs * 2 ** (attempt - 1), longestPauseMs)
  const pauseMs = fullMs * (0.5 + random / 2)
  return elapsedMs + pauseMs > maxElapsedMs ? undefined : pauseMs
}

function mayHelp(error: unknown): boolean {
  return !(error instanceof Error && 'retry' in error && error.retry === 'never')
}
