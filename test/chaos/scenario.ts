import type { ScriptInput } from '../../src/agents/executors/script.ts'
import type { SessionSettingsInput } from '../../src/agents/session/settings.ts'

/*
 * What one run does, from a seed and its number alone: the script of the agents, the session's rules, and where the
 * processes die. The same seed and number give the same scenario, whatever ran before.
 */

export interface Scenario {
  readonly run: number
  readonly script: ScriptInput
  readonly settings: SessionSettingsInput
  readonly mode: 'local' | 'topics'
  /** Its own log, made in the run (so its making is disturbed too), or one shared with the other runs. */
  readonly ownLog: boolean
  /** In order; the next one begins when the one before has killed its process. */
  readonly deaths: readonly Death[]
}

/** What a session goes through, by the events that record it. */
export const STEPS = [
  'AgentCallReserved',
  'AgentCallClaimed',
  'AgentCallCompleted',
  'AgentCallFailed',
  'QualityGateResult',
  'TaskReviewed',
  'RevisionRequested',
  'ApprovalRequested',
  'ApprovalGiven',
  'WorkItemAccepted',
  'SessionCompleted',
] as const

export type Role = 'local' | 'coordinator' | 'manager' | 'worker'

/** When a process dies: after a while, at the n-th time it reaches a named point, or at its n-th point of any name. */
export type Death = { readonly role: Role } & (
  | { readonly kind: 'moment'; readonly afterShare: number }
  | { readonly kind: 'point'; readonly point: string; readonly nth: number }
  | { readonly kind: 'any-point'; readonly nth: number }
)

/** How often the processes of each kind reach each point when nobody disturbs them. */
export type PointsOf = Readonly<Record<Role, Readonly<Record<string, number>>>>

export interface ScenarioOptions {
  readonly seed: string
  readonly run: number
  readonly points: PointsOf
  /** How many runs of 100 have manager, worker and coordinator as processes of their own. */
  readonly topicsPercent: number
}

export function scenarioOf({ seed, run, points, topicsPercent }: ScenarioOptions): Scenario {
  const dice = new Dice(`${seed}:${run}`)
  const mode = dice.percent(topicsPercent) ? 'topics' : 'local'
  const items = Array.from({ length: dice.between(3, 6) }, (_, index) => `item-${index + 1}`)
  const settings = randomSettings(dice, mode)
  const ownLog = mode === 'topics' || dice.percent(40)
  const deaths = Array.from({ length: dice.between(1, 3) }, (_, index) => {
    const role = mode === 'local' ? 'local' : dice.pick(['coordinator', 'manager', 'worker'] as const)
    const reachable = Object.entries(points[role]).filter(([point]) =>
      isReachable(point, { withGates: settings.gates?.length !== 0, makesLog: ownLog && index === 0 }),
    )
    return randomDeath(dice, role, reachable)
  })
  return { run, mode, script: randomScript(dice, items), settings, ownLog, deaths }
}

function isReachable(point: string, { withGates, makesLog }: { withGates: boolean; makesLog: boolean }): boolean {
  if (point.startsWith('executor.process.')) return withGates
  return makesLog || !point.startsWith('file.open.')
}

function randomScript(dice: Dice, ids: readonly string[]): ScriptInput {
  const plan = {
    strategy: 'As the dice fell.',
    workItems: ids.map((id, index) => ({
      id,
      title: `Do ${id}`,
      description: `Work on ${id}.`,
      acceptanceCriteria: [`${id} is done`],
      priority: dice.between(1, 5),
      dependencies: ids.slice(0, index).filter(() => dice.percent(30)),
    })),
    delayMs: dice.between(0, 15),
  }
  return {
    defaults: { plan: { costUsd: 0.02 }, work: { costUsd: 0.05 }, review: { costUsd: 0.01 } },
    plans: dice.percent(15) ? ['no plan at all', plan] : [plan],
    items: Object.fromEntries(ids.map((id) => [id, randomItem(dice, id)])),
  }
}

function randomItem(dice: Dice, id: string): NonNullable<ScriptInput['items']>[string] {
  const revised = dice.percent(20)
  const attempt = (n: number) => ({
    output: `${id}, attempt ${n}`,
    files: { [`${id}.txt`]: { text: `${id} ${n}` } },
    delayMs: dice.between(0, 30),
  })
  const failing = dice.percent(10) ? [{ outcome: 'error' as const, output: 'as scripted', retry: 'now' as const }] : []
  const verdict = (approved: boolean) => ({
    approved,
    score: approved ? 1 : 0.2,
    feedback: approved ? [] : ['again'],
    delayMs: dice.between(0, 15),
  })
  return {
    attempts: [...failing, attempt(1), ...(revised ? [attempt(2)] : [])],
    reviews: revised ? [verdict(false), verdict(true)] : [verdict(true)],
  }
}

function randomSettings(dice: Dice, mode: Scenario['mode']): SessionSettingsInput {
  return {
    dispatch: mode,
    maxConcurrentTasks: dice.between(1, 3),
    maxCallAttempts: 3,
    inDoubt: dice.percent(20) ? 'resume' : 'retry',
    gates: dice.percent(15) ? [{ gateId: 'passes', command: ['true'] }] : [],
  }
}

/** Early enough that most sessions have not ended before: in the first half of what an undisturbed run reaches. */
function randomDeath(dice: Dice, role: Role, points: readonly (readonly [string, number])[]): Death {
  const throwOf = dice.between(1, 100)
  const half = (times: number) => Math.max(1, Math.ceil(times / 2))
  if (throwOf <= 45) return { role, kind: 'moment', afterShare: dice.share() }
  if (throwOf <= 75) {
    const [point, times] = dice.pick(points)
    return { role, kind: 'point', point, nth: dice.between(1, half(times)) }
  }
  const total = points.reduce((sum, [, times]) => sum + times, 0)
  return { role, kind: 'any-point', nth: dice.between(1, half(total)) }
}

/** Seeded randomness (mulberry32 over an FNV-1a of the seed). */
export class Dice {
  #state: number

  constructor(seed: string) {
    this.#state = [...seed].reduce((hash, char) => Math.imul(hash ^ char.charCodeAt(0), 0x01000193), 0x811c9dc5)
  }

  /** From 0 up to but not 1. */
  share(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  between(least: number, most: number): number {
    return least + Math.floor(this.share() * (most - least + 1))
  }

  percent(chance: number): boolean {
    return this.share() * 100 < chance
  }

  pick<T>(values: readonly T[]): T {
    return values[Math.floor(this.share() * values.length)]!
  }
}
