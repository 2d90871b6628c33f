import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ScriptInput } from '../../src/agents/executors/script.ts'
import { KafkaAgentCoordinator } from '../../src/agents/kafka-agent-coordinator.ts'
import type { RecordedEvent } from '../../src/core/event.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { pick, seededRandom } from '../chaos-kafka/random.ts'
import { type Death, judge, readJournal, type Verdict } from './distributed-check.ts'
import { type Service, type ServiceKind, startService } from './distributed-service.ts'

/*
 * Many sessions shared by three workers, a manager and a coordinator, each a process of the real command. At seeded
 * moments, counted in executions and not in time, one of them is killed with SIGKILL and replaced, a worker is added,
 * or one is told to go.
 */

export interface DistributedOptions {
  readonly logUrl: string
  readonly sessions: number
  readonly seed: string
  /** How often each kind of disturbance happens; a worker is killed twice as often. */
  readonly rounds: number
  /** An empty folder for what the processes need and leave behind. */
  readonly dir: string
  /** Without an execution or an end for so long, the run has failed. */
  readonly patienceMs: number
  readonly say?: (line: string) => void
}

export interface DistributedReport extends Verdict {
  readonly seed: string
  readonly sessions: number
  readonly completed: number
  readonly kills: Readonly<Record<ServiceKind, number>>
  readonly workersAdded: number
  readonly workersRemoved: number
  readonly tookMs: number
}

type Disturbance = { readonly kill: ServiceKind } | 'add' | 'remove'

export const WORK_ITEMS = ['one', 'two'] as const
const EXECUTIONS_PER_SESSION = 1 + 2 * WORK_ITEMS.length
const WORKERS = 3

const workItem = (id: string) => ({
  id,
  title: id,
  description: `Make ${id}`,
  acceptanceCriteria: [`${id} is there`],
  priority: 1,
  dependencies: [],
})

const script: ScriptInput = {
  defaults: { plan: { delayMs: 5 }, work: { delayMs: 40 }, review: { delayMs: 5 } },
  plans: [{ strategy: 'both at once', workItems: WORK_ITEMS.map(workItem) }],
  items: Object.fromEntries(WORK_ITEMS.map((id) => [id, { attempts: [{}] }])),
}

export async function runDistributed(options: DistributedOptions): Promise<DistributedReport> {
  await mkdir(join(options.dir, 'work'), { recursive: true })
  await writeFile(join(options.dir, 'script.json'), JSON.stringify(script))
  const store = await openEventStore(options.logUrl)
  const crew = new Crew(options)
  try {
    await crew.assemble()
    const startedAt = performance.now()
    const ids = await createSessions(store, options)
    const disturbing = crew.disturb()
    const completed = await allEnded(store, ids, options)
    const tookMs = Math.round(performance.now() - startedAt)
    await disturbing
    await crew.dismiss()
    const verdict = judge({
      sessions: await eventsOf(store, ids),
      journal: readJournal(options.dir),
      deaths: crew.deaths,
      itemsPerSession: WORK_ITEMS.length,
    })
    const { seed, sessions } = options
    return { seed, sessions, completed, ...crew.tally(), tookMs, ...verdict }
  } finally {
    await crew.killAll()
    await store.close()
  }
}

async function createSessions(store: EventStore, { sessions, dir }: DistributedOptions): Promise<string[]> {
  const coordinator = new KafkaAgentCoordinator({ store })
  const ids = Array.from({ length: sessions }, (_, index) => `s${index + 1}`)
  const workDir = join(dir, 'work')
  const create = (sessionId: string) =>
    coordinator.create('shared', { sessionId, workDir, settings: { dispatch: 'topics' } })
  await Promise.all(ids.map(create))
  await coordinator.close()
  return ids
}

/** Says how many of them completed. */
async function allEnded(store: EventStore, ids: readonly string[], options: DistributedOptions): Promise<number> {
  const coordinator = new KafkaAgentCoordinator({ store })
  const patience = new Patience(options)
  const open = new Set(ids)
  let completed = 0
  while (open.size > 0) {
    for (const id of open) {
      const { status } = await coordinator.show(id)
      if (status !== 'completed' && status !== 'failed') continue
      open.delete(id)
      if (status === 'completed') completed++
    }
    await patience.check(ids.length - open.size, () => `${open.size} sessions have not ended: ${[...open].slice(0, 5)}`)
    await sleep(50)
  }
  return completed
}

class Patience {
  readonly #options: DistributedOptions
  #seen = ''
  #since = performance.now()

  constructor(options: DistributedOptions) {
    this.#options = options
  }

  async check(ended: number, problem: () => string): Promise<void> {
    const seen = `${ended} ${await journalBytes(this.#options.dir)}`
    if (seen !== this.#seen) this.#since = performance.now()
    this.#seen = seen
    const { patienceMs, seed } = this.#options
    if (performance.now() - this.#since > patienceMs)
      throw new Error(`Nothing happened for ${patienceMs} ms, seed ${seed}; ${problem()}`)
  }
}

async function journalBytes(dir: string): Promise<number> {
  return stat(join(dir, 'journal.jsonl')).then(
    ({ size }) => size,
    () => 0,
  )
}

async function eventsOf(store: EventStore, ids: readonly string[]): Promise<Map<string, RecordedEvent[]>> {
  const events = new Map<string, RecordedEvent[]>()
  for (const id of ids) events.set(id, await Array.fromAsync(store.readStream(id)))
  return events
}

class Crew {
  readonly deaths: Death[] = []
  readonly #options: DistributedOptions
  readonly #random: () => number
  readonly #members = new Set<Service>()
  #added = 0
  #removed = 0

  constructor(options: DistributedOptions) {
    this.#options = options
    this.#random = seededRandom(options.seed)
  }

  async assemble(): Promise<void> {
    const workers = Array.from({ length: WORKERS }, () => 'worker' as const)
    await Promise.all((['coordinator', 'manager', ...workers] as const).map((kind) => this.#start(kind)))
  }

  /** Spreads what happens over the first five sixths of the executions. */
  async disturb(): Promise<void> {
    const plan = this.#plan()
    const expected = this.#options.sessions * EXECUTIONS_PER_SESSION * 2
    for (const [index, disturbance] of plan.entries()) {
      const share = ((index + this.#random()) / plan.length) * (5 / 6)
      await this.#untilLines(Math.floor(expected * share))
      await sleep(this.#random() * 40)
      await this.#do(disturbance)
    }
  }

  async dismiss(): Promise<void> {
    const ends = await Promise.all([...this.#members].map((member) => member.leave()))
    const bad = ends.find(({ code }) => code !== 0)
    if (bad) throw new Error(`A service did not close well (${bad.code}):\n${bad.stderr}`)
  }

  async killAll(): Promise<void> {
    await Promise.all([...this.#members].map((member) => member.kill()))
  }

  tally() {
    const kills = { coordinator: 0, manager: 0, worker: 0 }
    for (const { kind } of this.deaths) kills[kind]++
    return { kills, workersAdded: this.#added, workersRemoved: this.#removed }
  }

  #plan(): Disturbance[] {
    const round: Disturbance[] = [
      { kill: 'worker' },
      { kill: 'worker' },
      { kill: 'manager' },
      { kill: 'coordinator' },
      'add',
      'remove',
    ]
    const rounds = Array.from({ length: this.#options.rounds }, () => shuffled(this.#random, round))
    return rounds.flat()
  }

  async #untilLines(lines: number): Promise<void> {
    const isThere = () => readJournal(this.#options.dir).length >= lines
    const patience = new Patience(this.#options)
    while (!isThere()) {
      await patience.check(0, () => `waiting for ${lines} lines of the journal`)
      await sleep(20)
    }
  }

  async #do(disturbance: Disturbance): Promise<void> {
    if (disturbance === 'add') return this.#add()
    if (disturbance === 'remove') return this.#remove()
    const victim = this.#oneOf(disturbance.kill)
    this.deaths.push({ pid: victim.pid, kind: victim.kind, atMs: Date.now() })
    this.#options.say?.(`kill -9 of a ${victim.kind} (${victim.pid})`)
    this.#members.delete(victim)
    await victim.kill()
    await this.#start(disturbance.kill)
  }

  async #add(): Promise<void> {
    this.#options.say?.('one worker more')
    this.#added++
    await this.#start('worker')
  }

  async #remove(): Promise<void> {
    const leaving = this.#oneOf('worker')
    this.#options.say?.(`a worker leaves (${leaving.pid})`)
    this.#removed++
    this.#members.delete(leaving)
    const { code, stderr } = await leaving.leave()
    if (code !== 0) throw new Error(`The worker that was told to go ended with ${code}:\n${stderr}`)
  }

  async #start(kind: ServiceKind): Promise<void> {
    const { logUrl, dir } = this.#options
    const service = startService(kind, logUrl, dir)
    this.#members.add(service)
    await service.ready
  }

  #oneOf(kind: ServiceKind): Service {
    return pick(
      this.#random,
      [...this.#members].filter((member) => member.kind === kind),
    )
  }
}

function shuffled<T>(random: () => number, given: readonly T[]): T[] {
  const keyed = given.map((value) => ({ value, key: random() }))
  return keyed.sort((a, b) => a.key - b.key).map(({ value }) => value)
}
