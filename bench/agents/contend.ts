import { progress } from '../report.ts'
import { disk, type Figures, killed, longest, medians, overhead, type Site, syncs, times } from './measured.ts'

/* All that is measured of one contender, in rounds, each time in processes and on data of its own. */

export interface Plan {
  readonly rounds: number
  /** Sessions one after the other, and of each of 50 at once. */
  readonly alone: number
  readonly each: number
  readonly middle: number
  readonly many: number
  /** Sessions of the overhead per call; of ours alone. */
  readonly sessions: number
  /** Sessions before the clock runs: a service runs for days, its code is compiled. */
  readonly warmUp: number
}

export const whole: Plan = { rounds: 3, alone: 500, each: 12, middle: 1_000, many: 5_000, sessions: 1_000, warmUp: 500 }
export const quick: Plan = { rounds: 1, alone: 30, each: 2, middle: 100, many: 300, sessions: 60, warmUp: 20 }

export interface OpenSite extends Site {
  close(): Promise<void>
}

export interface Contest {
  readonly plan: Plan
  readonly open: (traceServer: boolean) => Promise<OpenSite>
  /** Its longest session is run once: a graph that keeps every result writes its whole state at each step. */
  readonly heavy?: boolean
  readonly countSyncs?: boolean
  readonly withOverhead?: boolean
}

export async function contend(contest: Contest): Promise<Figures> {
  const { plan, open, countSyncs = true, withOverhead = false } = contest
  const rounds: Figures[] = []
  for (let number = 1; number <= plan.rounds; number++) {
    rounds.push(await round(contest, number))
    progress(`  round ${number} of ${plan.rounds}`)
  }
  for (const atOnce of withOverhead ? [10, 50] : []) {
    rounds.push(await onSite(open, (site) => overhead(site, plan.sessions, atOnce)))
  }
  rounds.push(await onSite(open, (site) => disk(site, plan.many)))
  if (countSyncs) rounds.push(await onSite(open, (site) => syncs(site), true).catch(untraced))
  return medians(rounds)
}

async function round({ plan, open, heavy = false }: Contest, number: number): Promise<Figures> {
  const { alone, each, middle, many, warmUp } = plan
  const size = { alone, callers: 50, each, lengths: [10, middle], warmUp }
  const figures = [
    await onSite(open, (site) => times(site, size)),
    await onSite(open, (site) => killed(site, 20)),
    ...(heavy && number > 1 ? [] : [await onSite(open, (site) => longest(site, many, warmUp))]),
    ...(heavy ? [] : [await onSite(open, (site) => killed(site, many))]),
  ]
  return together(figures)
}

/** Of what was measured twice (memory) the larger counts. */
function together(parts: readonly Figures[]): Figures {
  const all: Figures = new Map()
  for (const [name, value] of parts.flatMap((part) => [...part])) {
    all.set(name, Math.max(value, all.get(name) ?? Number.NEGATIVE_INFINITY))
  }
  return all
}

function untraced(error: Error): Figures {
  progress(`  syncs not counted (strace is needed): ${error.message}`)
  return new Map()
}

async function onSite(
  open: Contest['open'],
  measure: (site: Site) => Promise<Figures>,
  traceServer = false,
): Promise<Figures> {
  const site = await open(traceServer)
  try {
    return await measure(site)
  } finally {
    await site.close()
  }
}
