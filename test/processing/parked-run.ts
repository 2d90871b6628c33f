import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, type TestContext } from 'vitest'
import { listDeadLetters } from '../../src/processing/dead-letters.ts'
import type { ParkedMessage } from '../../src/processing/processor-options.ts'
import { startProcessor } from '../../src/processing/start-processor.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { startProgram } from '../support/program.ts'
import type { NewLog } from './crash-run.ts'
import { until, untilOrSay } from './logs.ts'

/*
 * P3 P5 P6 A process that dies while a message waits for its next try, others of its key behind it, and who comes after it.
 */

/** Their keys are their letters. */
const JOBS = ['a1', 'b1', 'a2', 'a3', 'b2', 'c1', 'a4', 'b3']
/** What is behind the parked one (a2) is not past the checkpoint. */
const FROM_PARKED = JOBS.slice(2)

const keyOf = (job: string) => job.charAt(0)
const ofKey = (key: string, jobs: readonly string[]) => jobs.filter((job) => keyOf(job) === key)

export async function dieParked(newLog: NewLog, onTestFinished: TestContext['onTestFinished']): Promise<void> {
  const { url, store } = await newStore(newLog, onTestFinished)
  const outgoing = JOBS.map((job) => ({ topic: 'jobs', key: keyOf(job), type: 'Job', data: { job } }))
  await store.appendToStream('sender', [], { outgoing })
  const doable = JOBS.length - ofKey('a', FROM_PARKED).length
  const victim = startProgram(new URL('./parked-main.ts', import.meta.url), { url, doable })
  expect((await victim.ended).signal).toBe('SIGKILL')
  const parked = JSON.parse((await victim.said('[')) || '[]') as readonly ParkedMessage[]
  expect(parked).toMatchObject([{ key: 'a', attempt: 1, reason: 'a is away', waitingBehind: 2 }])

  const seen: string[] = []
  const attempts = new Set<number>()
  const successor = startProcessor({
    store,
    group: 'workers',
    topics: ['jobs'],
    order: 'key',
    handler: async ({ key, data }, { append, attempt }) => {
      await append(`out-${key}`, [{ type: 'Done', data }])
      seen.push((data as { job: string }).job)
      attempts.add(attempt)
    },
  })
  onTestFinished(() => successor.stop())
  const isAllSeen = () => FROM_PARKED.every((job) => seen.includes(job))
  await untilOrSay(isAllSeen, { what: 'what was parked and what was behind it came again', stand: () => seen })
  await until(async () => (await successor.lag()).every(({ records }) => records === 0))
  // Its checkpoint went with its append.
  expect(seen).not.toContain('a1')
  expect([...attempts]).toEqual([1])
  for (const key of ['a', 'b', 'c']) {
    const again = ofKey(key, seen)
    expect(again).toEqual(ofKey(key, JOBS).slice(-again.length))
    expect(await jobsIn(store, `out-${key}`)).toEqual(ofKey(key, JOBS))
  }
  expect([successor.parked(), await listDeadLetters(store, 'jobs')]).toEqual([[], []])
}

async function newStore(newLog: NewLog, onTestFinished: TestContext['onTestFinished']) {
  const folder = mkdtempSync(join(tmpdir(), 'duolog-parked-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  const url = newLog(folder)
  const store = await openEventStore(url, { topics: { jobs: { partitions: 1 } } })
  onTestFinished(() => store.close())
  return { url, store }
}

function jobsIn(store: EventStore, stream: string): Promise<string[]> {
  return Array.fromAsync(store.readStream(stream), ({ data }) => (data as { job: string }).job)
}
