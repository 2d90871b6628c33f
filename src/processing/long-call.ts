import { DuologError } from '../core/errors.ts'

/*
 * Notices that a definition's function kept the event loop from turning: it is synchronous, so the time it took says all.
 * (Handlers of processors may pause: event-loop-watch.ts.)
 */

/** Default of `blockedAfterMs`. */
export const DEFAULT_BLOCKED_AFTER_MS = 1_000

export interface LongCallOptions {
  readonly blockedAfterMs?: number | undefined
  /** Hears EVENT_LOOP_BLOCKED. */
  readonly onBlocked: (error: DuologError) => void
}

/** What the call answers or throws, whatever becomes of the report. */
export function watched<T>(what: () => string, call: () => T, options: LongCallOptions): T {
  const { blockedAfterMs = DEFAULT_BLOCKED_AFTER_MS, onBlocked } = options
  const beganMs = performance.now()
  try {
    return call()
  } finally {
    const tookMs = performance.now() - beganMs
    if (tookMs >= blockedAfterMs) onBlocked(loopBlocked(what(), Math.round(tookMs)))
  }
}

function loopBlocked(what: string, blockedMs: number): DuologError {
  return new DuologError(
    'EVENT_LOOP_BLOCKED',
    `${what} took ${blockedMs} ms, in which the event loop stood still, and timers, heartbeats and all others with it. ` +
      'Compute less there. (A process that was suspended looks the same.)',
  )
}
