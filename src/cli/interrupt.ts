import { EXIT } from './exit-codes.ts'

export interface Interrupt {
  readonly signal: AbortSignal
  release(): void
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Ctrl-C (or a request to end) asks for an orderly stop; a second one ends the process at once. */
export function onInterrupt(told: () => void): Interrupt {
  const abort = new AbortController()
  const listener = () => {
    if (abort.signal.aborted) process.exit(EXIT.interrupted)
    told()
    abort.abort()
  }
  for (const name of SIGNALS) process.on(name, listener)
  const release = () => {
    for (const name of SIGNALS) process.off(name, listener)
  }
  return { signal: abort.signal, release }
}
