import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ChaosLog } from './campaign.ts'
import { type Child, Pool } from './children.ts'
import { type PointsOf, type Role, type Scenario, STEPS } from './scenario.ts'

/* Which named points a process reaches when nobody disturbs it: found by listening, not by a list somebody keeps. */

/** One of everything: a plan refused, a failing try, a revision, a gate, an approval, things side by side. */
export const oneOfEverything: Pick<Scenario, 'script' | 'settings'> = {
  settings: {
    maxConcurrentTasks: 2,
    maxCallAttempts: 3,
    gates: [{ gateId: 'passes', command: ['true'] }],
    approvals: { workItems: ['c'] },
  },
  script: {
    plans: [
      'no plan at all',
      { strategy: 'One of everything.', workItems: [item('a'), item('b'), item('c', 'a', 'b')] },
    ],
    items: {
      a: { attempts: [{ outcome: 'error', output: 'as scripted', retry: 'now' }, attempt('a', 1)] },
      b: {
        attempts: [attempt('b', 1), attempt('b', 2)],
        reviews: [
          { approved: false, score: 0.1, feedback: ['again'] },
          { approved: true, score: 1 },
        ],
      },
      c: { attempts: [attempt('c', 1)] },
    },
  },
}

/** For every process and every point it reaches: one run that dies there the first time, and one the last. */
export function everyPoint(points: PointsOf): Scenario[] {
  const deaths = Object.entries(points).flatMap(([role, counts]) =>
    Object.entries(counts).flatMap(([point, times]) =>
      [...new Set([1, times])].map((nth) => ({ kind: 'point', role: role as Role, point, nth }) as const),
    ),
  )
  return deaths.map((death, index) => dyingAt(death, index + 1))
}

/** Before and after the append that records each step of a session: in the middle of those of its kind. */
export function everyStep({ local }: PointsOf): Scenario[] {
  const names = STEPS.flatMap((type) => [`step.before.${type}`, `step.after.${type}`])
  return names.map((point, index) => {
    const times = local[point]
    if (times === undefined) throw new Error(`Undisturbed, nobody came to ${point}`)
    return dyingAt({ kind: 'point', role: 'local', point, nth: Math.ceil(times / 2) }, index + 1)
  })
}

/** What processes reach inside of our code; of these the others are the appends of a session's steps. */
export function withoutSteps(points: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(points).filter(([name]) => !name.startsWith('step.')))
}

function dyingAt(death: Scenario['deaths'][number], run: number): Scenario {
  const mode = death.role === 'local' ? 'local' : 'topics'
  const settings = { ...oneOfEverything.settings, dispatch: mode } as const
  return { run, mode, script: oneOfEverything.script, settings, ownLog: true, deaths: [death] }
}

function item(id: string, ...dependencies: string[]) {
  return { id, title: id, description: `Do ${id}.`, acceptanceCriteria: ['done'], priority: 3, dependencies }
}

function attempt(id: string, n: number) {
  return { output: `${id} ${n}`, files: { [`${id}.txt`]: { text: `${id} ${n}` } }, delayMs: 5 }
}

/** For sessions of both modes. */
export async function listenForAllPoints(log: ChaosLog): Promise<PointsOf> {
  const dir = await mkdtemp(join(tmpdir(), 'duolog-chaos-points-'))
  try {
    const local = await listenForPoints(log, 'local', join(dir, 'local'))
    const topics = await listenForPoints(log, 'topics', join(dir, 'topics'))
    return { ...topics, local: local.local }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function listenForPoints(log: ChaosLog, mode: Scenario['mode'], dir: string): Promise<PointsOf> {
  const roles: readonly Role[] = mode === 'local' ? ['local'] : ['manager', 'worker', 'coordinator']
  await mkdir(join(dir, 'work'), { recursive: true })
  await writeFile(join(dir, 'script.json'), JSON.stringify(oneOfEverything.script))
  const logUrl = log.urlOf(`undisturbed-${mode}`, dir)
  const settings = { ...oneOfEverything.settings, dispatch: mode }
  const pool = new Pool(log.kind, 1)
  try {
    const crew = await Promise.all(roles.map(async (role) => [role, await pool.take()] as const))
    for (const [role, child] of crew) {
      child.do({ role, logUrl, leaseMs: log.leaseMs, sessionId: 'undisturbed', settings, dir })
    }
    // Whoever never ends is ended, so that every wait below comes to an end.
    const patience = setTimeout(() => void pool.close(), log.patienceMs)
    const heard = await hear(crew).finally(() => clearTimeout(patience))
    return { local: {}, coordinator: {}, manager: {}, worker: {}, ...Object.fromEntries(heard) }
  } finally {
    await pool.close()
  }
}

async function hear(crew: readonly (readonly [Role, Child])[]) {
  const ended = await crew.at(-1)![1].told('ended')
  if (ended?.status !== 'completed') throw new Error(`Undisturbed, the session ended as ${ended?.status ?? 'nothing'}`)
  for (const [, child] of crew) child.finish()
  return Promise.all(
    crew.map(async ([role, child]) => {
      const reached = await child.told('reached')
      if (reached === undefined) throw new Error(`Undisturbed, the ${role} process did not close`)
      return [role, reached.points] as const
    }),
  )
}
