import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { runDistributed, WORK_ITEMS } from './distributed.ts'
import { servicesSuite } from './distributed-suite.ts'

/* As distributed.process.test.ts, on a real broker. A dead process is known by its silence here. */

/** 100 sessions with DUOLOG_LONG=1 (npm run test:distributed). */
const LONG = process.env.DUOLOG_LONG === '1'
const SESSIONS = LONG ? 100 : 20
const ROUNDS = LONG ? 3 : 1

/** Many processes, on cores that may be busy. */
vi.setConfig({ testTimeout: LONG ? 900_000 : 240_000, hookTimeout: 120_000 })

describeKafka('on Kafka', () => {
  it(`${SESSIONS} sessions complete while services are killed, added and removed; what was done again is shown`, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'duolog-distributed-'))
    onTestFinished(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }))
    const seed = process.env.DISTRIBUTED_SEED ?? 'short'
    const logUrl = `kafka://${kafkaBrokers}/?prefix=${uniquePrefix('distributed')}`
    const report = await runDistributed({
      logUrl,
      sessions: SESSIONS,
      seed,
      rounds: ROUNDS,
      dir,
      patienceMs: LONG ? 600_000 : 90_000,
    })
    expect(report).toMatchObject({
      violations: [],
      completed: SESSIONS,
      items: SESSIONS * WORK_ITEMS.length,
      kills: { worker: 2 * ROUNDS, manager: ROUNDS, coordinator: ROUNDS },
      workersAdded: ROUNDS,
      workersRemoved: ROUNDS,
    })
    expect(report.workerCalls).toBe(report.items + report.workerInDoubt + report.workerGivenBack)
  })

  servicesSuite('kafka', () => `kafka://${kafkaBrokers}/?prefix=${uniquePrefix('services')}&leaseMs=3000`)
})
