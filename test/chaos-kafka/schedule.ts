import { between, pick, seededRandom } from './random.ts'

/*
 * What happens when, from a seed. First a part in which writers are killed and nothing else happens (a stall there is
 * a writer's death and no other fault); then the other faults one after the other, while the killing goes on.
 */

export type FaultKind = 'broker' | 'cut' | 'latency' | 'half-open' | 'reset' | 'zombie'

export const FAULT_KINDS: readonly FaultKind[] = ['broker', 'cut', 'latency', 'half-open', 'reset', 'zombie']

export interface Fault {
  readonly kind: FaultKind
  readonly atMs: number
  readonly durationMs: number
  /** Which broker, or which writer; for latency how many milliseconds. */
  readonly target: number
}

export interface Kill {
  readonly atMs: number
  readonly target: number
}

export interface Schedule {
  readonly seed: string
  readonly totalMs: number
  /** Until then only writers are killed. */
  readonly calmUntilMs: number
  readonly kills: readonly Kill[]
  readonly faults: readonly Fault[]
}

export interface ScheduleOptions {
  readonly seed: string
  readonly totalMs: number
  readonly brokers: number
  readonly writers: number
  /** What to do; default: all kinds. */
  readonly kinds?: readonly FaultKind[]
  /** Short faults beside a frozen writer, for the short form. */
  readonly brief?: boolean
}

const KILL_EVERY_MS = 2000
const CALM_SHARE = 0.3
const LAST_CALM_MS = 4000
/** Longer than the 10 s after which the broker ends a writer's transaction. */
const ZOMBIE_MS = 11_500

export function scheduleOf(options: ScheduleOptions): Schedule {
  const { seed, totalMs, writers } = options
  const random = seededRandom(seed)
  const calmUntilMs = Math.round(totalMs * CALM_SHARE)
  const killTimes = Math.floor((totalMs - LAST_CALM_MS) / KILL_EVERY_MS)
  const kills = Array.from({ length: killTimes }, (_, index) => ({
    atMs: (index + 1) * KILL_EVERY_MS,
    target: between(random, 0, writers - 1),
  }))
  const faults = options.brief ? briefFaults(random, options, calmUntilMs) : faultsOf(random, options, calmUntilMs)
  return { seed, totalMs, calmUntilMs, kills, faults }
}

function faultsOf(random: () => number, options: ScheduleOptions, fromMs: number): readonly Fault[] {
  const { totalMs, brokers, writers, kinds = FAULT_KINDS } = options
  const faults: Fault[] = []
  let atMs = fromMs
  let left: FaultKind[] = []
  let rolling = 0
  for (;;) {
    if (left.length === 0) left = [...kinds]
    const kind = pick(random, left)
    left = left.filter((one) => one !== kind)
    atMs += between(random, 3000, 6000)
    const durationMs = durationOf(random, kind)
    if (atMs + durationMs > totalMs - LAST_CALM_MS) return faults
    const target = kind === 'broker' ? rolling++ % brokers : targetOf(random, kind, writers)
    faults.push({ kind, atMs, durationMs, target })
    atMs += durationMs
  }
}

function durationOf(random: () => number, kind: FaultKind): number {
  switch (kind) {
    case 'broker':
      return between(random, 1000, 8000)
    case 'half-open':
      return between(random, 5000, 20_000)
    case 'zombie':
      return between(random, ZOMBIE_MS, ZOMBIE_MS + 4000)
    default:
      return between(random, 2000, 8000)
  }
}

/** Writer 0 is behind the proxies; another one is frozen, so that both may happen at once. */
function targetOf(random: () => number, kind: FaultKind, writers: number): number {
  if (kind === 'zombie') return between(random, 1, writers - 1)
  return kind === 'latency' ? between(random, 100, 1000) : 0
}

function briefFaults(random: () => number, options: ScheduleOptions, fromMs: number): readonly Fault[] {
  const lasting = { cut: 2000, latency: 2000, 'half-open': 4000, reset: 1000, broker: 1000 } as const
  let atMs = fromMs
  const others = Object.entries(lasting).map(([name, durationMs]) => {
    const kind = name as keyof typeof lasting
    const fault = { kind, atMs, durationMs, target: targetOf(random, kind, options.writers) }
    atMs += durationMs + 700
    return fault
  })
  const zombie = { kind: 'zombie', atMs: fromMs, durationMs: ZOMBIE_MS, target: 1 } as const
  return [zombie, ...others]
}
