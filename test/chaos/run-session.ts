import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Armed, Job } from './child-main.ts'
import type { Child, Death as Gone, Pool } from './children.ts'
import { type Kill, RANDOM_MOMENT } from './evidence.ts'
import type { Death, Role, Scenario } from './scenario.ts'

/*
 * Drives one session through the deaths of its scenario to its end: whoever died is started again. One process for a
 * local session; manager, worker and coordinator for one whose tasks travel on topics.
 */

export interface SessionRun {
  readonly pool: Pool
  readonly scenario: Scenario
  readonly sessionId: string
  readonly logUrl: string
  readonly leaseMs: number
  readonly dir: string
  /** What a share of 1 of a 'moment' is, milliseconds. */
  readonly typicalMs: number
  /** Longer than this without a death or an end is a failure, milliseconds. */
  readonly patienceMs: number
}

export interface SessionRan {
  readonly kills: readonly Kill[]
  /** Why it did not come to its end. */
  readonly problem?: string
  readonly tookMs: number
}

export async function runSession(run: SessionRun): Promise<SessionRan> {
  await mkdir(join(run.dir, 'work'), { recursive: true })
  await writeFile(join(run.dir, 'script.json'), JSON.stringify(run.scenario.script))
  const startedAt = performance.now()
  const crew = new Crew(run)
  const problem = await crew.work().then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  )
  if (problem !== undefined) crew.killAll()
  return { kills: crew.kills, tookMs: performance.now() - startedAt, ...(problem !== undefined && { problem }) }
}

const rolesOf = { local: ['local'], topics: ['coordinator', 'manager', 'worker'] } as const

/** The processes of one session, by role. */
class Crew {
  readonly kills: Kill[] = []
  readonly #run: SessionRun
  readonly #members = new Map<Role, Child>()

  constructor(run: SessionRun) {
    this.#run = run
  }

  async work(): Promise<void> {
    const { mode, deaths } = this.#run.scenario
    const [first, ...later] = deaths
    await Promise.all(rolesOf[mode].map((role) => this.#start(role, first?.role === role ? first : undefined)))
    let ended = first !== undefined && (await this.#endedBefore(first))
    for (const death of later) {
      if (ended) break
      await this.#arm(death)
      ended = await this.#endedBefore(death)
    }
    if (!ended) await this.#untilEnded()
    await this.#finish()
  }

  killAll(): void {
    for (const child of this.#members.values()) child.kill()
  }

  /** A member begins its job; its death may be armed from its very first step. */
  async #start(role: Role, death?: Death): Promise<void> {
    const { pool, logUrl, leaseMs, sessionId, dir, scenario } = this.#run
    const child = await pool.take()
    this.#members.set(role, child)
    const arm = death && armedBy(death)
    const job: Job = { role, logUrl, leaseMs, sessionId, dir, settings: scenario.settings, ...(arm && { arm }) }
    child.do(job)
  }

  async #arm(death: Death): Promise<void> {
    const arm = armedBy(death)
    if (arm) this.#members.get(death.role)!.arm(arm)
  }

  /** Waits for the death (bringing it about, if its time has come) and starts the dead again; true: it ended before. */
  async #endedBefore(death: Death): Promise<boolean> {
    const victim = this.#members.get(death.role)!
    const over = new AbortController()
    const timer = death.kind === 'moment' ? this.#killAt(victim, death.afterShare, over.signal) : undefined
    const ended = this.#ended()
    const first = await Promise.race([victim.gone, ended.then(() => undefined), this.#impatience(over.signal)])
    over.abort()
    await timer
    if (first === undefined) return true
    this.#record(death.role, first)
    await this.#start(death.role)
    return false
  }

  async #killAt(victim: Child, share: number, signal: AbortSignal): Promise<void> {
    await sleep(share * this.#run.typicalMs, undefined, { signal }).then(
      () => victim.kill(),
      () => {},
    )
  }

  #record(role: Role, gone: Gone): void {
    if (!gone.killed) throw new Error(`The ${role} process ended by itself: ${gone.complaint || 'without a word'}`)
    this.kills.push({ pid: gone.pid, by: gone.point ?? RANDOM_MOMENT, role, atMs: Date.now() })
  }

  /** The end of a session may be seen, and told, before who appended it hears so, and dies of that. */
  #recordLate(role: Role, gone: Gone): void {
    if (gone.killed && gone.point !== undefined) this.#record(role, gone)
  }

  /** The session's end, as told by the process that runs it; never, when that one dies first. */
  async #ended(): Promise<void> {
    const child = this.#members.get('local') ?? this.#members.get('coordinator')!
    const ended = await child.told('ended')
    if (ended === undefined) return new Promise(() => {})
    if (ended.status !== 'completed') throw new Error(`The session ended as ${ended.status}`)
  }

  async #untilEnded(): Promise<void> {
    const over = new AbortController()
    const unasked = [...this.#members].map(async ([role, child]) => {
      const { complaint } = await child.gone
      throw new Error(`The ${role} process ended by itself: ${complaint || 'without a word'}`)
    })
    await Promise.race([this.#ended(), this.#impatience(over.signal), ...unasked]).finally(() => over.abort())
    for (const unheard of unasked) unheard.catch(() => {})
  }

  async #impatience(signal: AbortSignal, awaited = 'neither an end nor a death'): Promise<never> {
    const { patienceMs } = this.#run
    await sleep(patienceMs, undefined, { signal }).catch(() => new Promise(() => {}))
    throw new Error(`Nothing for ${patienceMs} ms: ${awaited}`)
  }

  /** In good order, whoever runs the session last: a service that goes first gives its calls back. */
  async #finish(): Promise<void> {
    const over = new AbortController()
    const members = [...this.#members]
    for (const [, child] of members) child.finish()
    const gone = Promise.all(members.map(([, child]) => child.gone))
    const impatience = this.#impatience(over.signal, 'the processes did not close')
    const deaths = await Promise.race([gone, impatience]).finally(() => over.abort())
    for (const [index, death] of deaths.entries()) this.#recordLate(members[index]![0], death)
    const bad = deaths.findIndex(({ complaint }) => complaint !== '')
    if (bad !== -1) throw new Error(`The ${members[bad]![0]} process did not close well: ${deaths[bad]!.complaint}`)
  }
}

function armedBy(death: Death): Armed | undefined {
  switch (death.kind) {
    case 'moment':
      return undefined
    case 'point':
      return { point: death.point, nth: death.nth }
    case 'any-point':
      return { nth: death.nth }
  }
}
