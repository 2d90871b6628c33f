/** Fires when one of several signals does. */
export interface EitherSignal {
  readonly signal: AbortSignal
  /** Listens no more. */
  release(): void
}

/**
 * As AbortSignal.any, for what is asked often whether it has fired and ends by itself: `aborted` of such a signal is dear,
 * and one that was made lives until the program looks through all of its memory.
 */
export function eitherSignal(...signals: readonly (AbortSignal | undefined)[]): EitherSignal {
  const either = new AbortController()
  const sources = signals.filter((signal) => signal !== undefined)
  const onAbort = ({ target }: Event) => either.abort((target as AbortSignal).reason)
  for (const source of sources) {
    if (source.aborted) either.abort(source.reason)
    source.addEventListener('abort', onAbort)
  }
  const release = () => {
    for (const source of sources) source.removeEventListener('abort', onAbort)
  }
  return { signal: either.signal, release }
}
