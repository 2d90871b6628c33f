import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import type { AgentExecutor } from '../../../src/agents/executor.ts'
import { KafkaAgentCoordinator } from '../../../src/agents/kafka-agent-coordinator.ts'
import { BudgetPool } from '../../../src/agents/pool/budget-pool.ts'
import { type PoolCommand, type PoolState, poolDecider } from '../../../src/agents/pool/pool-decider.ts'
import { settleOrphans } from '../../../src/agents/pool/pool-desk.ts'
import { sessionStore } from '../../../src/agents/session/session-events.ts'
import { EMPTY_TALLY } from '../../../src/agents/session/tally.ts'
import { SessionLog } from '../../../src/agents/session-log.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import { openMemoryStore } from '../../../src/store/memory/memory-store.ts'
import { openEventStore } from '../../../src/store/open-event-store.ts'
import { approval, planOf } from '../session/play.ts'

const perCallUsd = { plan: 1, work: 1, review: 1 }
const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function fileStore(): Promise<EventStore> {
  const folder = await mkdtemp(join(tmpdir(), 'duolog-pool-'))
  closing.push(() => rm(folder, { recursive: true, force: true }))
  return openEventStore(`file:${join(folder, 'log.db')}`)
}

async function opened(open: () => Promise<EventStore>): Promise<EventStore> {
  const store = await open()
  closing.push(() => store.close())
  return store
}

const executor: AgentExecutor = {
  execute: async ({ purpose }) => {
    if (purpose === 'work') return { output: 'done', costUsd: 0.9 }
    return { output: '', structured: purpose === 'plan' ? planOf({ a: {} }) : approval, costUsd: 0.9 }
  },
}

function coordinator(store: EventStore): KafkaAgentCoordinator {
  const made = new KafkaAgentCoordinator({ store, executor, workDirChanges: false })
  closing.push(() => made.close())
  return made
}

const held = { ...EMPTY_TALLY, calls: 1, reservedMicroUsd: 1e6 }
const reservation = (key: string) => ({ key, sessionId: key, callId: 'c', owner: 'o', held })

describe.each([
  ['memory', async () => openMemoryStore()],
  ['file', fileStore],
] as const)('a budget pool (%s)', (_name, open) => {
  it('holds for 50 who ask at once what fits, and no more', async () => {
    const store = await opened(open)
    await new BudgetPool(store, 'p').create({ maxUsd: 20 })
    const asks = Array.from({ length: 50 }, (_, i) => new BudgetPool(store, 'p').reserve(reservation(`k${i}`)))
    const refused = (await Promise.all(asks)).filter((misfit) => misfit !== undefined)
    expect(refused).toHaveLength(30)
    expect(refused[0]).toMatchObject({ scope: 'pool', limit: 'usd', max: 20, needed: 1 })
    expect(await new BudgetPool(store, 'p').show()).toMatchObject({ usd: 0, reservedUsd: 20, calls: 20 })
  })

  it('lets a session wait when it is empty; filled, the session goes on', async () => {
    const store = await opened(open)
    const pool = new BudgetPool(store, 'p')
    await pool.create({ maxUsd: 1.5 })
    const runner = coordinator(store)
    const waiting = await runner.run('x', {
      sessionId: 's',
      settings: { budget: { pool: 'p', perCallUsd } },
    })
    expect(waiting).toMatchObject({ status: 'waiting', totals: { managerCalls: 1, workerCalls: 0 } })
    expect(waiting.budget?.exceeded).toMatchObject({ scope: 'pool', limit: 'usd', purpose: 'work' })
    expect((await runner.resume('s')).status).toBe('waiting')
    await pool.raise({ maxUsd: 10 })
    expect(await runner.resume('s')).toMatchObject({ status: 'completed', totals: { workerCalls: 1 } })
    expect(await pool.show()).toMatchObject({ usd: 2.7, reservedUsd: 0, calls: 3, held: [] })
  })

  it('has a time from its creation: no session begins a call after it, whatever is left, until it is given more', async () => {
    const store = await opened(open)
    const startMs = Date.parse('2026-01-01T00:00:00.000Z')
    const clock = { now: () => nowMs }
    let nowMs = startMs
    const pool = new BudgetPool(store, 'p', { clock })
    expect(await pool.create({ maxUsd: 50, maxWallClockMs: 60_000 })).toMatchObject({
      startedAt: '2026-01-01T00:00:00.000Z',
      limits: { maxWallClockMs: 60_000 },
    })
    const late: AgentExecutor = {
      async execute(request, context) {
        if (request.purpose === 'plan') nowMs = startMs + 60_000
        return executor.execute(request, context)
      },
    }
    const runner = new KafkaAgentCoordinator({ store, executor: late, clock, workDirChanges: false })
    closing.push(() => runner.close())
    const waiting = await runner.run('x', { sessionId: 's', settings: { budget: { pool: 'p', perCallUsd } } })
    expect(waiting).toMatchObject({ status: 'waiting', totals: { managerCalls: 1, workerCalls: 0 } })
    expect(waiting.budget?.exceeded).toEqual({
      ...{ limit: 'wall-clock', scope: 'pool', purpose: 'work' },
      ...{ max: 60_000, spent: 60_000, reserved: 0, needed: 0 },
    })
    expect((await runner.resume('s')).status).toBe('waiting')
    await pool.raise({ maxUsd: 90 })
    expect((await runner.resume('s')).status).toBe('waiting')
    await pool.raise({ maxWallClockMs: 120_000 })
    expect(await runner.resume('s')).toMatchObject({ status: 'completed', totals: { workerCalls: 1 } })
    expect(await pool.show()).toMatchObject({ held: [], reservedUsd: 0, limits: { maxUsd: 90 } })
  })

  it('is settled when run resolves, however long that takes', async () => {
    const store = await opened(open)
    const pool = new BudgetPool(store, 'p')
    await pool.create({ maxUsd: 10 })
    const append = store.appendToStream.bind(store)
    const slowly: typeof append = async (stream, events, options) => {
      if (events.some(({ type }) => type === 'BudgetPoolSettled'))
        await new Promise((resolve) => setTimeout(resolve, 100))
      return append(stream, events, options)
    }
    const runner = coordinator(Object.assign(store, { appendToStream: slowly }))
    const settings = { budget: { pool: 'p', perCallUsd } }
    expect((await runner.run('x', { sessionId: 's', settings })).status).toBe('completed')
    expect(await pool.show()).toMatchObject({ usd: 2.7, reservedUsd: 0, calls: 3, held: [] })
  })
})

describe('B1, B2', () => {
  it('hold for 50 calls side by side, in whatever order they hold, end and are told twice', () => {
    const step = fc.record({ call: fc.nat(49), settle: fc.boolean(), spent: fc.integer({ min: 0, max: 1_000_000 }) })
    const run = fc.record({ maxUsd: fc.integer({ min: 1, max: 30 }), steps: fc.array(step, { maxLength: 300 }) })
    fc.assert(
      fc.property(run, ({ maxUsd, steps }) => {
        const { decide, evolve, initialState } = poolDecider
        const make = (state: PoolState, command: PoolCommand) => decide(command, state).reduce(evolve, state)
        let state = make(initialState(), { kind: 'create', limits: { maxUsd }, nowMs: 0 })
        for (const { call, settle, spent } of steps) {
          const key = `k${call}`
          const command: PoolCommand = settle
            ? { kind: 'settle', key, spent: { ...EMPTY_TALLY, calls: 1, microUsd: spent } }
            : { kind: 'reserve', nowMs: 0, ...reservation(key) }
          state = make(state, command)
          expect(decide(command, state)).toEqual([])
          expect(state.tally.microUsd + state.tally.reservedMicroUsd).toBeLessThanOrEqual(maxUsd * 1e6)
          expect(state.tally.reservedMicroUsd).toBe(state.open.size * 1e6)
        }
      }),
    )
  })
})

describe('a budget pool', () => {
  it('holds and settles each call once, however often it is told', async () => {
    const pool = new BudgetPool(await opened(async () => openMemoryStore()), 'p')
    await pool.create({ maxCalls: 1 })
    expect(await pool.reserve(reservation('k'))).toBeUndefined()
    expect(await pool.reserve(reservation('k'))).toBeUndefined()
    await pool.settle('k', { ...EMPTY_TALLY, calls: 1, microUsd: 300_000 })
    await pool.settle('k', { ...EMPTY_TALLY, calls: 1, microUsd: 300_000 })
    expect(await pool.show()).toMatchObject({ usd: 0.3, reservedUsd: 0, calls: 1 })
    expect(await pool.reserve(reservation('other'))).toMatchObject({ limit: 'calls' })
  })

  it('gets back what a dead process held: counted as spent, since nobody knows better', async () => {
    const store = await opened(async () => openMemoryStore())
    const pool = new BudgetPool(store, 'p')
    await pool.create({ maxUsd: 3 })
    const sessions = new SessionLog(sessionStore(store))
    const leader = coordinator(store)
    const sessionId = await leader.create('x', { settings: { budget: { pool: 'p', perCallUsd } } })
    const claim = await leader.claimCall(sessionId, 'plan:1', 'dying')
    const key = `${sessionId}/plan:1/${claim?.epoch}`
    await pool.reserve({ key, sessionId, callId: 'plan:1', owner: 'dying', held })
    expect(await settleOrphans(sessions, pool)).toBe(0)
    await leader.close()
    expect(await settleOrphans(sessions, pool)).toBe(1)
    expect(await pool.show()).toMatchObject({ usd: 1, reservedUsd: 0, held: [] })
  })

  it('made before pools had a time counts it from when it is first given one', async () => {
    const store = await opened(async () => openMemoryStore())
    await store.appendToStream('budget-pool-p', [{ type: 'BudgetPoolCreated', data: { limits: { maxUsd: 5 } } }])
    const pool = new BudgetPool(store, 'p', { clock: { now: () => 1_000_000 } })
    expect(await pool.show()).not.toHaveProperty('startedAt')
    const startedAt = new Date(1_000_000).toISOString()
    expect(await pool.raise({ maxWallClockMs: 60_000 })).toMatchObject({ startedAt })
    const later = new BudgetPool(store, 'p', { clock: { now: () => 1_060_000 } })
    expect(await later.raise({ maxWallClockMs: 50_000 })).toMatchObject({ startedAt })
    expect(await later.reserve(reservation('k'))).toMatchObject({ limit: 'wall-clock', max: 50_000, spent: 60_000 })
  })

  it('must be there before a session names it, and is not made twice', async () => {
    const store = await opened(async () => openMemoryStore())
    const settings = { budget: { pool: 'ghost' } }
    await expect(coordinator(store).run('x', { settings })).rejects.toThrow('duolog budget pool create ghost')
    await new BudgetPool(store, 'p').create({ maxUsd: 1 })
    await expect(new BudgetPool(store, 'p').create({ maxUsd: 2 })).rejects.toThrow('exists with other limits')
    await expect(new BudgetPool(store, 'q').create({})).rejects.toThrow('at least one of')
  })
})
