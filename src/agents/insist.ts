import { isDuologError } from '../core/errors.ts'
import { pause } from '../store/wake-ups.ts'

const FIRST_WAIT_MS = 50
const LONGEST_WAIT_MS = 5_000

export interface Insisting {
  /** Whether another try makes sense after this error. Default: {@link passes}. */
  readonly mayPass?: (error: unknown) => boolean
  readonly onRetry: (error: unknown, waitMs: number) => void
  /** Once it has fired, the next error counts. */
  readonly signal?: AbortSignal
}

/** An error of the log's that passes by itself: a broker that is away, a locked file, a full disk. */
export function passes(error: unknown): boolean {
  return isDuologError(error) && error.retry !== 'never' && error.code !== 'STORE_CLOSED'
}

/** Tries until it works or is refused for good, with growing waits. */
export async function insist<T>(work: () => Promise<T>, { mayPass = passes, onRetry, signal }: Insisting): Promise<T> {
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
    try {
      return await work()
    } catch (error) {
      if (signal?.aborted || !mayPass(error)) throw error
      onRetry(error, waitMs)
      await pause(waitMs, signal)
    }
  }
}
