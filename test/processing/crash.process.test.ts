import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { AnyEvent } from '../../src/core/event.ts'
import { listDeadLetters } from '../../src/processing/dead-letters.ts'
import { sqliteViews } from '../../src/processing/sqlite-views.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { startProgram } from './child.ts'
import type { CrashProgram } from './crash-program-main.ts'
import { workbench } from './logs.ts'
import { type Counted, counts } from './projection-suite.ts'

/** V1, P2, P5, P6: real processes, really killed, between any two steps of handle → append → commit. */

const ORDERS = Array.from({ length: 6 }, (_, n) => `order-${n}`)
const JOBS = 15
const ADDS = 300

const bench = workbench()

async function prepare(): Promise<CrashProgram> {
  const folder = bench.folder()
  const url = `file:${join(folder, 'run.db')}`
  const store = await openEventStore(url)
  for (let n = 0; n < 3; n++) {
    await store.appendToStream(
      'adds',
      Array.from({ length: ADDS / 3 }, () => ({ type: 'Added', data: { n: 1 } })),
    )
  }
  await Promise.all(ORDERS.map((order) => store.appendToStream(order, [{ type: 'OrderPlaced', data: { order } }])))
  const jobs = Array.from({ length: JOBS }, (_, n) => ({
    topic: 'jobs',
    key: `k${n % 3}`,
    type: 'Job',
    data: { n: n + 1 },
  }))
  await store.appendToStream('sender', [], { outgoing: jobs })
  await store.close()
  return { url, views: join(folder, 'views.db'), orders: ORDERS, jobs: JOBS }
}

/** Nothing lost, nothing twice. */
async function check({ url, views: path }: CrashProgram): Promise<void> {
  const store = await openEventStore(url)
  const views = await sqliteViews(path)
  bench.later(() => store.close())
  bench.later(() => views.close())
  const live = await views.openLive(counts().name, 1)
  expect(await views.get(live, 'adds')).toEqual({ count: ADDS, sum: ADDS })
  for (const order of ORDERS)
    await checkOrder(await read(store.readStream(`fulfilment:${order}`)), await read(store.readStream(order)))
  const done = (await read(store.readStream<Counted>('done'))).map(({ data }) => (data as { n: number }).n)
  const letters = (await listDeadLetters(store, 'jobs')).map(({ data }) => (data as { n: number }).n)
  expect([...done, ...letters].sort((a, b) => a - b)).toEqual(Array.from({ length: JOBS }, (_, n) => n + 1))
  expect(letters.sort((a, b) => a - b)).toEqual([5, 10, 15])
}

async function checkOrder(process: readonly AnyEvent[], order: readonly AnyEvent[]): Promise<void> {
  const types = process.map(({ type }) => type)
  const times = (wanted: string) => types.filter((type) => type === wanted).length
  expect([
    times('TimerFired'),
    times('StepTimedOut'),
    times('CompensationRequested'),
    times('StepCompensated'),
  ]).toEqual([1, 1, 2, 2])
  expect(process.at(-1)).toMatchObject({ type: 'ProcessCompensated', data: { left: [] } })
  // Each command was answered once: it left once.
  expect(order.map(({ type }) => type)).toEqual(['OrderPlaced', 'StockReserved', 'PaymentRefunded', 'StockReleased'])
}

async function read(events: AsyncIterable<AnyEvent>): Promise<AnyEvent[]> {
  const all: AnyEvent[] = []
  for await (const event of events) all.push(event)
  return all
}

const finish = (program: CrashProgram) => startProgram('./crash-program-main.ts', program).ended

describe('killed at a named point, started again', () => {
  const points: [string, number][] = [
    ['projection.apply.begin', 2],
    ['views.apply.written', 2],
    ['views.apply.committed', 2],
    ['process.observe.begin', 5],
    ['process.observe.done', 5],
    ['process.fire.begin', 2],
    ['process.fire.done', 2],
    ['processor.put-aside.begin', 1],
    ['processor.put-aside.done', 1],
    ['file.commit.written', 12],
    ['file.commit.done', 12],
    ['file.commit.answered', 12],
  ]
  it.each(points)('%s, time %i: nothing is lost, nothing happens twice', async (dieAt, dieAtCount) => {
    const program = await prepare()
    const killed = await startProgram('./crash-program-main.ts', { ...program, dieAt, dieAtCount }).ended
    expect(killed.signal, killed.errors).toBe('SIGKILL')
    expect(await finish(program)).toMatchObject({ code: 0, errors: '' })
    await check(program)
  })
})

describe('killed at random', () => {
  const seed = Number(process.env.DUOLOG_SEED ?? Math.floor(Math.random() * 2 ** 31))
  const rounds = Number(process.env.DUOLOG_ROUNDS ?? 10)
  it(`${rounds} times, then left to finish (DUOLOG_SEED=${seed})`, async () => {
    const program = await prepare()
    let state = seed
    const random = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return state / 2 ** 32
    }
    for (let round = 0; round < rounds; round++) {
      const victim = startProgram('./crash-program-main.ts', program)
      await Promise.race([victim.said('running'), victim.ended])
      await new Promise((resolve) => setTimeout(resolve, random() * 300))
      victim.process.kill('SIGKILL')
      await victim.ended
    }
    expect(await finish(program)).toMatchObject({ code: 0, errors: '' })
    await check(program)
  })
})
