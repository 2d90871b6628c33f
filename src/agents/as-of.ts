import type { Clock } from '../core/clock.ts'
import { steadyMs } from '../store/wake-ups.ts'

/** When what is known was asked for, by both clocks: a machine that sleeps stops the one, the other may be set. */
export interface AsOf {
  readonly steadyMs: number
  readonly wallMs: number
}

export function asOfNow(clock: Clock): AsOf {
  return { steadyMs: steadyMs(clock), wallMs: clock.now() }
}

/** How old it is at most. */
export function ageMs(asOf: AsOf, clock: Clock): number {
  return Math.max(steadyMs(clock) - asOf.steadyMs, Math.abs(clock.now() - asOf.wallMs))
}
