import { isDuologError } from '../core/errors.ts'
import { pause } from '../store/wake-ups.ts'

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5_000

/** How long to wait after so many failures. */
export function pauseAfter(failures: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS)
}

/**
 * Tries until it works, pausing longer after each failure; rejects only when the partition was taken away or the consumer
 * stops.
 */
export async function insist<T>(
  step: () => Promise<T>,
  {
    signal,
    onFailure,
  }: { readonly signal: AbortSignal; readonly onFailure: (error: unknown, attempt: number) => void },
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted()
    try {
      return await step()
    } catch (error) {
      if (signal.aborted || isDuologError(error, 'CHECKPOINT_FENCED')) throw error
      onFailure(error, attempt)
      await pause(pauseAfter(attempt), signal)
    }
  }
}
