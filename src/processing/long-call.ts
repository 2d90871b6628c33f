import { DuologError } from '../core/errors.ts'
import type { AnyEvent } from '../core/event.ts'
import type { ProcessManager, ProcessStep } from './process-manager.ts'

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

/** A process manager whose functions are watched, one by one. */
export function watchedManager<State, E extends AnyEvent>(
  manager: ProcessManager<State, E>,
  options: LongCallOptions,
): ProcessManager<State, E> {
  const watch = <T>(what: string, call: () => T, at?: { readonly type: string }) =>
    watched(() => `${what} of process manager "${manager.name}"${at ? ` at ${at.type}` : ''}`, call, options)
  const command = (what: string, make: ProcessStep<State>['command']) => (state: State) =>
    watch(what, () => make(state))
  const step = (name: string, { compensation, ...definition }: ProcessStep<State>): ProcessStep<State> => ({
    ...definition,
    command: command(`the command of step "${name}"`, definition.command),
    ...(compensation && {
      compensation: {
        ...compensation,
        command: command(`the compensation of step "${name}"`, compensation.command),
      },
    }),
  })
  const steps = Object.entries<ProcessStep<State>>(manager.steps)
  return {
    ...manager,
    correlate: (event) => watch('correlate', () => manager.correlate(event), event),
    evolve: (state, event) => watch('evolve', () => manager.evolve(state, event), event),
    nextActions: (state, progress) => watch('nextActions', () => manager.nextActions(state, progress)),
    steps: Object.fromEntries(steps.map(([name, definition]) => [name, step(name, definition)])),
  }
}

function loopBlocked(what: string, blockedMs: number): DuologError {
  return new DuologError(
    'EVENT_LOOP_BLOCKED',
    `${what} took ${blockedMs} ms, in which the event loop stood still, and timers, heartbeats and all others with it. ` +
      'Compute less there. (A process that was suspended looks the same.)',
  )
}
