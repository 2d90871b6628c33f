import { ExecutorFailedError } from './executor.ts'
import type { SessionSettings } from './session/settings.ts'

/*
 * Listens for signs of life of one execution. Silence is measured where the executor runs, from its start or its last
 * sign of life; a process that hangs itself is silent to everybody, and its lease says so.
 */

export interface Silence {
  /** Where the session's rules have a silent call stopped: fires then; the reason says why. */
  readonly signal: AbortSignal | undefined
  heard(): void
  /** Listens no more; resolves when what was told is recorded. */
  end(): Promise<void>
}

const RETRY_AFTER_MS = 1_000
/** Long for a model that thinks, short beside the time limit of a call. */
const DEFAULT_STALLED_AFTER_MS = 60_000

/** `tell` is called once at most, and must not reject. */
export function watchSilence(
  { stalledAfterMs = DEFAULT_STALLED_AFTER_MS, onStalled }: Pick<SessionSettings, 'stalledAfterMs' | 'onStalled'>,
  tell: (silentMs: number) => Promise<void>,
): Silence {
  const stop = onStalled === 'abort' ? new AbortController() : undefined
  let told: Promise<void> | undefined
  const timer = setTimeout(() => {
    told = tell(stalledAfterMs)
    stop?.abort(stalled(stalledAfterMs))
  }, stalledAfterMs)
  return {
    signal: stop?.signal,
    heard: () => {
      if (told === undefined) timer.refresh()
    },
    end: async () => {
      clearTimeout(timer)
      await told
    },
  }
}

function stalled(silentMs: number): ExecutorFailedError {
  const advice = 'Raise stalledAfterMs if its agent is silent for longer; it may be tried again.'
  return new ExecutorFailedError(`The call gave no sign of life for ${silentMs} ms and was stopped. ${advice}`, {
    retry: { afterMs: RETRY_AFTER_MS },
  })
}
