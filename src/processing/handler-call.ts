import { DuologError } from '../core/errors.ts'

/*
 * One call of a handler, whatever it is worth: it ends in time, by its own answer, by its limit, or because its
 * partition was taken away and it did not stop.
 */

export interface CallLimits {
  /** A call that takes longer has failed. */
  readonly timeoutMs: number | undefined
  /** After so long `onSlow` hears of it, again after twice as long, and so on. */
  readonly slowAfterMs: number
  /** How long it may go on, asked when the signal fires. */
  readonly graceMs: () => number
  readonly onSlow: (tookMs: number) => void
}

/** @throws TIMEOUT after `timeoutMs`; ABORTED when it goes on `graceMs` after the signal. Its own signal fires in both. */
export async function callWithin<T>(
  { timeoutMs, slowAfterMs, graceMs, onSlow }: CallLimits,
  outer: AbortSignal,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const own = new AbortController()
  const timers = new Timers()
  const { promise: givenUp, reject } = Promise.withResolvers<never>()
  const onAbort = () => timers.after(graceMs(), () => reject(stillRunning(timers.elapsedMs)))
  outer.addEventListener('abort', onAbort, { once: true })
  const warnAfter = (ms: number) =>
    timers.after(ms, () => {
      onSlow(timers.elapsedMs)
      warnAfter(timers.elapsedMs)
    })
  warnAfter(slowAfterMs)
  if (timeoutMs !== undefined) timers.after(timeoutMs, () => reject(tooLate(timeoutMs)))
  givenUp.catch((error: unknown) => own.abort(error))
  try {
    // Without a limit of its own a call is given up only after the outer signal fired.
    const signal = timeoutMs === undefined ? outer : AbortSignal.any([outer, own.signal])
    return await Promise.race([call(signal), givenUp])
  } finally {
    outer.removeEventListener('abort', onAbort)
    timers.clear()
  }
}

class Timers {
  readonly #startedMs = performance.now()
  readonly #running: ReturnType<typeof setTimeout>[] = []

  get elapsedMs(): number {
    return Math.round(performance.now() - this.#startedMs)
  }

  after(ms: number, then: () => void): void {
    this.#running.push(setTimeout(then, ms))
  }

  clear(): void {
    for (const timer of this.#running) clearTimeout(timer)
  }
}

function tooLate(timeoutMs: number): DuologError {
  const advice = 'Its signal fired; let it listen to that, or raise timeoutMs.'
  return new DuologError('TIMEOUT', `The handler took longer than ${timeoutMs} ms. ${advice}`, { retry: 'now' })
}

function stillRunning(elapsedMs: number): DuologError {
  return new DuologError(
    'ABORTED',
    `The handler went on though its partition was taken away or its processor stops, for ${elapsedMs} ms in all; it is ` +
      'left to itself, its message not done.',
  )
}
