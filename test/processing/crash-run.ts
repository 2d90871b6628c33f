import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AnyEvent } from '../../src/core/event.ts'
import { listDeadLetters } from '../../src/processing/dead-letters.ts'
import { sqliteViews } from '../../src/processing/sqlite-views.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { type Child, startProgram } from '../support/program.ts'
import type { CrashProgram } from './crash-program-main.ts'
import { type Counted, counts } from './projection-suite.ts'

/*
 * What the crash tests do to a log and how they judge what is left of it. V1, P2, P5, P6: a view's count equals the log's,
 * each compensation ran once, each timer fired once, each job is done or a dead letter, and nothing is missing.
 */

const ORDERS = Array.from({ length: 6 }, (_, n) => `order-${n}`)
const JOBS = 15
const ADDS = 300
/** What a store on Kafka says when it makes a topic: no error. */
const TOPIC_MADE = 'warning: Created what was missing'

/** Gives the URL of a new log; the folder is the run's own. */
export type NewLog = (folder: string) => string

/** Between two steps of handle → append → commit, of all that processes: the point, and which reaching of it. */
export const points: readonly (readonly [string, number])[] = [
  ['projection.apply.begin', 2],
  ['views.apply.written', 2],
  ['views.apply.committed', 2],
  ['process.observe.begin', 5],
  ['process.observe.done', 5],
  ['process.fire.begin', 2],
  ['process.fire.done', 2],
  ['processor.handle.begin', 4],
  ['processor.handle.done', 4],
  ['processor.put-aside.begin', 1],
  ['processor.put-aside.done', 1],
]

/** What one log went through. */
export interface CrashOutcome {
  /** How many processes were killed before they had said that all is done. */
  readonly killed: number
  /** Empty when all is as if nobody had died. */
  readonly violations: readonly string[]
}

/** Dies at the point, is started again and left to finish. */
export function dieOnceAt(newLog: NewLog, dieAt: string, dieAtCount: number): Promise<CrashOutcome> {
  return withProgram(newLog, async (program) => {
    const { signal, errors } = await start({ ...program, dieAt, dieAtCount }).ended
    return signal === 'SIGKILL' ? 1 : reject(`${dieAt} was not reached ${dieAtCount} times: ${errors}`)
  })
}

/** Dies `kills` times, at any point or at any moment, sometimes together with another one on the same log. */
export function dieAtRandom(newLog: NewLog, random: () => number, kills: number): Promise<CrashOutcome> {
  return withProgram(newLog, async (program) => {
    let killed = 0
    while (killed < kills) {
      const together = random() < 0.25 ? 2 : 1
      const deaths = Array.from({ length: together }, () => dieSomehow(program, random))
      const died = (await Promise.all(deaths)).filter(Boolean).length
      killed += died
      if (died < together) break // all is done already
    }
    return killed
  })
}

/** The same numbers from the same seed. */
export function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

async function dieSomehow(program: CrashProgram, random: () => number): Promise<boolean> {
  const [atPoint, early, share] = [random() < 0.6, random() < 0.25, random()]
  if (atPoint) return isKilled(start({ ...program, dieAt: 'any', dieAtCount: 1 + Math.floor(share * 150) }))
  const victim = start(program)
  await Promise.race([victim.said(early ? 'running' : 'ready'), victim.ended])
  await new Promise((resolve) => setTimeout(resolve, share * 800))
  victim.process.kill('SIGKILL')
  return isKilled(victim)
}

async function isKilled({ ended }: Child): Promise<boolean> {
  return (await ended).signal === 'SIGKILL'
}

const start = (program: CrashProgram) => startProgram(new URL('./crash-program-main.ts', import.meta.url), program)

function reject(message: string): never {
  throw new Error(message)
}

async function withProgram(newLog: NewLog, torment: (program: CrashProgram) => Promise<number>): Promise<CrashOutcome> {
  const folder = mkdtempSync(join(tmpdir(), 'duolog-crash-'))
  try {
    const program = { url: newLog(folder), views: join(folder, 'views.db'), orders: ORDERS, jobs: JOBS }
    await withStore(program, prepare)
    const killed = await torment(program)
    const { code, errors } = await start(program).ended
    const told = errors.split('\n').filter((line) => line !== '' && !line.includes(TOPIC_MADE))
    if (code !== 0 || told.length > 0)
      return { killed, violations: [`the last one ended with ${code}: ${told.join('\n')}`] }
    return { killed, violations: await withStore(program, (store) => judge(store, program)) }
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

async function withStore<T>({ url }: CrashProgram, work: (store: EventStore) => Promise<T>): Promise<T> {
  const store = await openEventStore(url)
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

async function prepare(store: EventStore): Promise<void> {
  const adds = Array.from({ length: ADDS / 3 }, () => ({ type: 'Added', data: { n: 1 } }))
  for (let n = 0; n < 3; n++) await store.appendToStream('adds', adds)
  await Promise.all(ORDERS.map((order) => store.appendToStream(order, [{ type: 'OrderPlaced', data: { order } }])))
  const job = (n: number) => ({ topic: 'jobs', key: `k${n % 3}`, type: 'Job', data: { n: n + 1 } })
  await store.appendToStream('sender', [], { outgoing: Array.from({ length: JOBS }, (_, n) => job(n)) })
}

async function judge(store: EventStore, program: CrashProgram): Promise<readonly string[]> {
  const orders = await Promise.all(ORDERS.map((order) => judgeOrder(store, order)))
  return [...(await judgeView(program)), ...orders.flat(), ...(await judgeJobs(store))]
}

async function judgeView({ views: path }: CrashProgram): Promise<readonly string[]> {
  const views = await sqliteViews(path)
  try {
    const live = await views.openLive(counts().name, 1)
    return differs('the view', await views.get(live, 'adds'), { count: ADDS, sum: ADDS })
  } finally {
    await views.close()
  }
}

async function judgeOrder(store: EventStore, order: string): Promise<readonly string[]> {
  const process = await read(store, `fulfilment:${order}`)
  const types = process.map(({ type }) => type)
  const once = ['TimerFired', 'StepTimedOut', 'CompensationRequested', 'StepCompensated']
  const times = once.map((wanted) => types.filter((type) => type === wanted).length)
  // Each command was answered once: it left once.
  const answers = (await read(store, order)).map(({ type }) => type)
  return [
    ...differs(`${order}: ${once.join(', ')}`, times, [1, 1, 2, 2]),
    ...differs(`${order}: its end`, types.at(-1), 'ProcessCompensated'),
    ...differs(`${order}: what is left`, (process.at(-1)?.data as { left?: unknown } | undefined)?.left, []),
    ...differs(`${order}: answers`, answers, ['OrderPlaced', 'StockReserved', 'PaymentRefunded', 'StockReleased']),
  ]
}

async function judgeJobs(store: EventStore): Promise<readonly string[]> {
  const numbers = (found: readonly { readonly data: unknown }[]) =>
    found.map(({ data }) => (data as { n: number }).n).sort((a, b) => a - b)
  const all = Array.from({ length: JOBS }, (_, n) => n + 1)
  const done = differs(
    'jobs done',
    numbers(await read(store, 'done')),
    all.filter((n) => n % 5 !== 0),
  )
  const letters = numbers(await listDeadLetters(store, 'jobs'))
  return [
    ...done,
    ...differs(
      'dead letters',
      letters,
      all.filter((n) => n % 5 === 0),
    ),
  ]
}

async function read(store: EventStore, stream: string): Promise<AnyEvent[]> {
  const all: AnyEvent[] = []
  for await (const event of store.readStream<Counted & AnyEvent>(stream)) all.push(event)
  return all
}

function differs(what: string, actual: unknown, expected: unknown): readonly string[] {
  const [is, should] = [actual, expected].map((value) => JSON.stringify(value))
  return is === should ? [] : [`${what}: ${is}, not ${should}`]
}
