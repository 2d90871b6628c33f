import { isDuologError } from '../core/errors.ts'
import { pause, pauseAfter } from '../store/wake-ups.ts'

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
