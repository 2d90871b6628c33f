import { pause } from '../wake-ups.ts'
import { isBusy, logBusy } from './sqlite-errors.ts'

/*
 * SQLite lets one process write at a time. Its own waiting blocks the whole program and sleeps a millisecond or more
 * where the other is done in a tenth of that; so it is told never to wait, and the waiting happens here.
 */

/** How long a lock held by somebody else is waited for before a caller hears LOG_BUSY, unless the URL says otherwise. */
export const DEFAULT_BUSY_TIMEOUT_MS = 60_000

/** At first the lock is asked for without a pause: the usual holder needs a fraction of a millisecond. */
const SPIN_MS = 0.3
const FIRST_PAUSE_MS = 1
const LONGEST_PAUSE_MS = 20

/** Runs `step` in the same tick until the lock is free, for at most a third of a millisecond; then throws as SQLite does. */
export function spinWhileBusy<T>(step: () => T): T {
  const endMs = performance.now() + SPIN_MS
  for (;;) {
    try {
      return step()
    } catch (error) {
      if (!isBusy(error) || performance.now() >= endMs) throw error
    }
  }
}

/** The pause before try number `attempt` (from 1): grows, with jitter so that contenders do not march in step. */
export function busyPauseMs(attempt: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** Math.floor(attempt / 4), LONGEST_PAUSE_MS) * (0.5 + Math.random())
}

/**
 * Runs `step` until no lock stands in its way. `step` must leave nothing half-done when it throws.
 *
 * @throws LOG_BUSY after `timeoutMs`.
 */
export async function retryWhileBusy<T>(step: () => T, path: string, timeoutMs: number): Promise<T> {
  const endMs = performance.now() + timeoutMs
  for (let attempt = 1; ; attempt++) {
    try {
      return spinWhileBusy(step)
    } catch (error) {
      if (!isBusy(error)) throw error
      if (performance.now() >= endMs) throw logBusy(path, error)
    }
    await pause(busyPauseMs(attempt))
  }
}
