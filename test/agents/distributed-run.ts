import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { type DistributedReport, runDistributed, WORK_ITEMS } from './distributed.ts'

/** With DUOLOG_LONG=1 (npm run test:distributed) more sessions on Kafka, and each disturbance three times. */
export const LONG = process.env.DUOLOG_LONG === '1'
const ROUNDS = LONG ? 3 : 1

export interface SharedSessions {
  readonly sessions: number
  readonly openLog: (dir: string) => string
  readonly patienceMs: number
  /** What this log promises beside what all do. */
  readonly expectMore?: (report: DistributedReport) => void
}

/** P7, P8 over many processes of the real command. */
export function sharedSessions(name: string, { sessions, openLog, patienceMs, expectMore }: SharedSessions): void {
  const what = 'complete while services are killed, added and removed'
  it(`${sessions} sessions ${what} (${name}); no call runs twice at one time, what was done again is shown`, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'duolog-distributed-'))
    onTestFinished(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }))
    const seed = process.env.DISTRIBUTED_SEED ?? 'short'
    const report = await runDistributed({ logUrl: openLog(dir), sessions, seed, rounds: ROUNDS, dir, patienceMs })
    process.stderr.write(`${JSON.stringify(report)}\n`)
    expect(report).toMatchObject({
      violations: [],
      completed: sessions,
      items: sessions * WORK_ITEMS.length,
      kills: { worker: 2 * ROUNDS, manager: ROUNDS, coordinator: ROUNDS },
      workersAdded: ROUNDS,
      workersRemoved: ROUNDS,
    })
    expect(report.workerCalls).toBe(report.items + report.workerInDoubt + report.workerGivenBack)
    expectMore?.(report)
  })
}
