import { randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { BudgetPool } from '../../../src/agents/pool/budget-pool.ts'
import { type PoolEvent, poolDecider } from '../../../src/agents/pool/pool-decider.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import { openEventStore } from '../../../src/store/open-event-store.ts'
import type { ChaosLog } from '../../chaos/campaign.ts'
import type { Armed, Job, Told } from '../../chaos/child-main.ts'
import { Pool as Processes } from '../../chaos/children.ts'
import { readJournal } from '../distributed-check.ts'

/*
 * B1 across real deaths: between the pool's hold and its settling the process that makes the call is killed. Every call
 * holds 1 and costs 0.1, the pool has 1.35: what is still held for a dead call, or forgotten, shows at the next one.
 */

const LIMIT_USD = 1.35
const item = { id: 'a', title: 'a', description: 'Make a', acceptanceCriteria: ['a'], priority: 1, dependencies: [] }
const cost = { costUsd: 0.1 }
const script = {
  defaults: { plan: cost, work: cost, review: cost },
  plans: [{ strategy: 'one', workItems: [item] }],
  items: { a: { attempts: [{ output: 'a' }] } },
}
const settings: Job['settings'] = {
  dispatch: 'local',
  inDoubt: 'retry',
  gates: [],
  budget: { pool: 'p', perCallUsd: { plan: 1, work: 1, review: 1 } },
}

/** Died with means held for it, and nobody can say what it cost: all of it counts as spent, so the rest does not fit. */
const unknownCost = ['call.affordable', 'executor.scripted.working', 'call.executed']
/** Died before it held anything, or when its cost was in the log: the rest fits. */
const knownCost = ['call.claimed', 'call.reported', 'pool.settled']

export function poolCrashSuite(log: ChaosLog): void {
  let processes: Processes
  beforeAll(() => {
    processes = new Processes(log.kind, 1)
  })
  afterAll(() => processes.close())

  interface Bench {
    readonly pool: BudgetPool
    readonly store: EventStore
    run(arm?: Armed): Promise<Extract<Told, { tell: 'ended' }> | undefined>
    starts(): string[]
  }

  async function bench(): Promise<Bench> {
    const dir = mkdtempSync(join(tmpdir(), 'duolog-pool-crash-'))
    mkdirSync(join(dir, 'work'))
    writeFileSync(join(dir, 'script.json'), JSON.stringify(script))
    const logUrl = log.urlOf(`pool-${randomUUID()}`, dir)
    const store = await openEventStore(logUrl, { leaseMs: log.leaseMs })
    onTestFinished(async () => {
      await store.close()
      rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
    })
    const pool = new BudgetPool(store, 'p')
    await pool.create({ maxUsd: LIMIT_USD })
    const job: Job = { role: 'local', logUrl, leaseMs: log.leaseMs, sessionId: 's', settings, dir }
    const run: Bench['run'] = async (arm) => {
      const child = await processes.take()
      child.do({ ...job, ...(arm && { arm }) })
      const ended = await child.told('ended')
      child.finish()
      const death = await child.gone
      expect(death).toMatchObject(arm ? { killed: true, point: arm.point } : { killed: false, complaint: '' })
      return ended
    }
    const starts = () =>
      readJournal(dir).flatMap(({ phase, purpose }) => (phase === 'start' ? [purpose as string] : []))
    return { pool, store, run, starts }
  }

  /** Of every moment of the pool's life: what is spent and held never passed the limit of that moment. */
  async function neverOverrun(store: EventStore): Promise<void> {
    let state = poolDecider.initialState()
    for await (const event of store.readStream('budget-pool-p')) {
      state = poolDecider.evolve(state, event as unknown as PoolEvent)
      const { microUsd, reservedMicroUsd } = state.tally
      expect((microUsd + reservedMicroUsd) / 1e6).toBeLessThanOrEqual(state.limits.maxUsd ?? 0)
    }
  }

  describe(`a pool on ${log.kind}, its worker killed with SIGKILL`, () => {
    it.each(knownCost)('at %s: nothing stays held, and the session completes', async (point) => {
      const { pool, store, run, starts } = await bench()
      await run({ point, nth: 2 })
      expect(await run()).toMatchObject({ status: 'completed' })
      expect(starts()).toEqual(['plan', 'work', 'review'])
      expect(await pool.show()).toMatchObject({ usd: 0.3, reservedUsd: 0, calls: 3, held: [] })
      await neverOverrun(store)
    })

    it.each(unknownCost)('at %s: what was held counts as spent, and nobody is asked beyond it', async (point) => {
      const { pool, store, run, starts } = await bench()
      await run({ point, nth: 2 })
      const before = starts()
      expect(await run()).toMatchObject({ status: 'waiting' })
      expect(starts()).toEqual(before)
      expect(await pool.show()).toMatchObject({ usd: 1.1, reservedUsd: 0, calls: 2, held: [] })
      await pool.raise({ maxUsd: 3 })
      expect(await run()).toMatchObject({ status: 'completed' })
      expect(starts()).toEqual([...before, 'work', 'review'])
      expect(await pool.show()).toMatchObject({ usd: 1.3, reservedUsd: 0, calls: 4, held: [] })
      await neverOverrun(store)
    })

    it('while it settles for another who died: once is once', async () => {
      const { pool, store, run } = await bench()
      await run({ point: 'call.executed', nth: 2 })
      await run({ point: 'pool.orphan.settled', nth: 1 })
      expect(await run()).toMatchObject({ status: 'waiting' })
      expect(await pool.show()).toMatchObject({ reservedUsd: 0, held: [] })
      await pool.raise({ maxUsd: 5 })
      expect(await run()).toMatchObject({ status: 'completed' })
      await neverOverrun(store)
    })
  })
}
