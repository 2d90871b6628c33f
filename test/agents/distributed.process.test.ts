import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import type { JournalEntry } from '../../src/agents/executors/journal.ts'
import { overlaps } from './distributed-check.ts'
import { LONG, sharedSessions } from './distributed-run.ts'
import { servicesSuite } from './distributed-suite.ts'

/* P7, P8 over many processes. With DUOLOG_LONG=1 each disturbance comes three times. */

/** Many processes, on cores that may be busy. */
vi.setConfig({ testTimeout: LONG ? 900_000 : 300_000 })

sharedSessions('file', {
  sessions: 200,
  openLog: (dir) => `file:${join(dir, 'log.db')}`,
  patienceMs: LONG ? 600_000 : 240_000,
  expectMore: ({ doubtsOfLiving, workersThatWorked }) => {
    expect(doubtsOfLiving).toBe(0)
    expect(workersThatWorked).toBeGreaterThan(3)
  },
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
