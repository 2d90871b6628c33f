import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { AnyEvent, RecordedMessage } from '../../src/core/event.ts'
import { listDeadLetters } from '../../src/processing/dead-letters.ts'
import { sqliteViews } from '../../src/processing/sqlite-views.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { type Child, startProgram } from '../support/program.ts'
import type { CrashProgram } from './crash-program-main.ts'
import { type Counted, counts } from './projection-suite.ts'
import { COMMANDS } from './shop.ts'

/*
 * What the crash tests do to a log and how they judge what is left of it. V1, P2, P5, P6: a view's count equals the log's,
 * each compensation ran once, each timer fired once, each job is done or a dead letter, and nothing is missing.
 */

const ORDERS = Array.from({ length: 6 }, (_, n) => `order-${n}`)
const JOBS = 15
/** After about so many a log is judged, and the next begins. */
export const KILLS_PER_LOG = 5
const ADDS = 300
/** What a store on Kafka says that is no error: it made a topic; a broker with too much to do keeps it waiting. */
const EXPECTED = [
  'warning: Created what was missing',
  'warning: The writer of a partition cannot reach its broker; trying',
]

/** Gives the URL of a new log; the folder is the run's own. */
export type NewLog = (folder: string) => string

/** DUOLOG_LONG=1: every point, and 200 random kills. */
export const LONG = process.env.DUOLOG_LONG === '1'
export const RANDOM_KILLS = LONG ? 200 : KILLS_PER_LOG

const MORE_POINTS: readonly (readonly [string, number])[] = [
  ['processor.park.begin', 1],
  ['processor.park.done', 1],
  ['inbox.begin.recorded', 2],
  ['inbox.effect.begin', 2],
  ['inbox.effect.done', 2],
  ['inbox.effect.recorded', 2],
  ['timers.mark.begin', 1],
]

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
  ['dead-letters.settle.begin', 1],
  ['dead-letters.settle.done', 1],
  ['inbox.transaction.effect', 3],
  ['timers.mark.done', 1],
  ['process.carry.done', 1],
  ['views.promote.written', 1],
  ...(LONG ? MORE_POINTS : []),
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

/** So many random kills on several logs, and how many there were. */
export async function dieOften(newLog: NewLog, seed: number, kills: number): Promise<CrashOutcome> {
  let killed = 0
  const violations: string[] = []
  for (let log = 0; killed < kills && log < kills; log++) {
    const outcome = await dieAtRandom(newLog, randomFrom(seed + log), Math.min(KILLS_PER_LOG, kills - killed))
    killed += outcome.killed
    violations.push(...outcome.violations)
  }
  return { killed, violations }
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
    const files = { views: join(folder, 'views.db'), effects: join(folder, 'effects.db') }
    const program = { url: newLog(folder), ...files, orders: ORDERS, jobs: JOBS }
    await withStore(program, prepare)
    const killed = await torment(program)
    const { code, errors } = await start(program).ended
    const told = unexpected(errors)
    if (code !== 0 || told.length > 0)
      return { killed, violations: [`the last one ended with ${code}: ${told.join('\n')}`] }
    return { killed, violations: await withStore(program, (store) => judge(store, program)) }
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** A line that is indented belongs to the one before. */
function unexpected(errors: string): readonly string[] {
  const said = errors.split(/\n(?! )/).filter((entry) => entry !== '')
  return said.filter((entry) => !EXPECTED.some((expected) => entry.includes(expected)))
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
  const commands = await judgeCommands(store)
  return [...(await judgeView(program)), ...orders.flat(), ...commands, ...(await judgeJobs(store, program))]
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
  const fired = process.flatMap(({ type, data }) => (type === 'TimerFired' ? [(data as { timer: string }).timer] : []))
  const once = ['StepTimedOut', 'CompensationRequested', 'StepCompensated']
  const times = once.map((wanted) => types.filter((type) => type === wanted).length)
  const answers = (await read(store, order)).map(({ type }) => type)
  return [
    ...differs(`${order}: timers that fired`, fired, ['step/payment']),
    ...differs(`${order}: ${once.join(', ')}`, times, [1, 2, 2]),
    ...differs(`${order}: its end`, types.at(-1), 'ProcessCompensated'),
    ...differs(`${order}: what is left`, (process.at(-1)?.data as { left?: unknown } | undefined)?.left, []),
    ...differs(`${order}: answers`, answers, ['OrderPlaced', 'StockReserved', 'PaymentRefunded', 'StockReleased']),
  ]
}

/** Each command left once: as records of the topic, since who answers passes over what comes twice. */
async function judgeCommands(store: EventStore): Promise<readonly string[]> {
  const records = await readTopic(store, COMMANDS)
  const left = ORDERS.flatMap((order) => {
    const types = records.filter(({ key }) => key === order).map(({ type }) => type)
    const expected = ['ReserveStock', 'TakePayment', 'RefundPayment', 'ReleaseStock']
    return differs(`${order}: commands that left`, types, expected)
  })
  return [...left, ...differs('ids of commands', new Set(records.map(({ eventId }) => eventId)).size, records.length)]
}

async function judgeJobs(store: EventStore, { effects: path }: CrashProgram): Promise<readonly string[]> {
  const numbers = (found: readonly { readonly data: unknown }[]) =>
    found.map(({ data }) => (data as { n: number }).n).sort((a, b) => a - b)
  const all = Array.from({ length: JOBS }, (_, n) => n + 1)
  const poisoned = all.filter((n) => n % 5 === 0)
  const streams = ['done', 'effected', 'batched']
  const found = await Promise.all(streams.map(async (stream) => numbers(await read(store, stream))))
  const letters = await listDeadLetters(store, 'jobs', { status: 'any' })
  const database = new DatabaseSync(path)
  const rows = database.prepare('SELECT n FROM effects ORDER BY n').all()
  database.close()
  return [
    ...streams.flatMap((stream, index) => differs(`jobs in ${stream}`, found[index], all)),
    ...differs('dead letters', numbers(letters), poisoned),
    ...differs(
      'what became of them',
      letters.map(({ status }) => status),
      poisoned.map(() => 'redriven'),
    ),
    ...differs(
      'effects in the database',
      rows.map(({ n }) => n),
      all,
    ),
  ]
}

async function readTopic(store: EventStore, topic: string): Promise<readonly RecordedMessage[]> {
  const ends = await store.partitionEnds(topic)
  const done = new AbortController()
  const left = new Map(ends.filter(({ offset }) => offset > 0).map((end) => [end.partition, end.offset]))
  const found: RecordedMessage[] = []
  const from = [...left.keys()].map((partition) => ({ topic, partition, offset: 0 }))
  for await (const { messages, position } of store.followPartitions(from, { signal: done.signal })) {
    found.push(...messages)
    if (position.offset >= (left.get(position.partition) ?? 0)) left.delete(position.partition)
    if (left.size === 0) break
  }
  return found
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
