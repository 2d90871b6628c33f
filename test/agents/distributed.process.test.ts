import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { JournalEntry } from '../../src/agents/executors/journal.ts'
import { runDistributed, WORK_ITEMS } from './distributed.ts'
import { overlaps } from './distributed-check.ts'
import { servicesSuite } from './distributed-suite.ts'

/* P7, P8 over many processes. The long form is `npm run distributed`. */

/** 200 sessions with DUOLOG_LONG=1 (npm run test:distributed). */
const LONG = process.env.DUOLOG_LONG === '1'
const SESSIONS = LONG ? 200 : 40
const ROUNDS = LONG ? 3 : 1
if (LONG) vi.setConfig({ testTimeout: 900_000 })

describe('three workers, a manager and a coordinator, killed, added and removed', () => {
  it(`complete ${SESSIONS} sessions on a file; no call runs twice at one time, what was done again is shown`, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'duolog-distributed-'))
    onTestFinished(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }))
    const seed = process.env.DISTRIBUTED_SEED ?? 'short'
    const logUrl = `file:${join(dir, 'log.db')}`
    const report = await runDistributed({
      logUrl,
      sessions: SESSIONS,
      seed,
      rounds: ROUNDS,
      dir,
      patienceMs: LONG ? 600_000 : 60_000,
    })
    expect(report).toMatchObject({
      violations: [],
      completed: SESSIONS,
      items: SESSIONS * WORK_ITEMS.length,
      kills: { worker: 2 * ROUNDS, manager: ROUNDS, coordinator: ROUNDS },
      workersAdded: ROUNDS,
      workersRemoved: ROUNDS,
      doubtsOfLiving: 0,
    })
    expect(report.workerCalls).toBe(report.items + report.workerInDoubt + report.workerGivenBack)
    expect(report.workersThatWorked).toBeGreaterThan(3)
  })
})

describe('the judge', () => {
  const line = (phase: 'start' | 'end', pid: number, callId: string, atMs: number): JournalEntry => ({
    ...{ phase, pid, callId, atMs },
    ...{ sessionId: 's', purpose: 'work', workItemId: 'a', attempt: 1 },
  })

  it('sees two executions of one piece of work at one time, unless the first was killed before', () => {
    const journal = [line('start', 1, 'c1', 10), line('start', 2, 'c2', 20), line('end', 2, 'c2', 30)]
    expect(overlaps({ journal, deaths: [] })).toHaveLength(1)
    expect(overlaps({ journal, deaths: [{ pid: 1, kind: 'worker', atMs: 25 }] })).toHaveLength(1)
    expect(overlaps({ journal, deaths: [{ pid: 1, kind: 'worker', atMs: 15 }] })).toEqual([])
    expect(overlaps({ journal: [journal[0]!, line('end', 1, 'c1', 15), journal[1]!], deaths: [] })).toEqual([])
  })
})

servicesSuite('file', (dir) => `file:${join(dir, 'log.db')}?leaseMs=3000`)
