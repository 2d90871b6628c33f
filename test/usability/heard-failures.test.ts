import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Logger, silentLogger } from '../../src/core/logger.ts'
import { defineProcessManager } from '../../src/processing/process-manager.ts'
import { defineProjection } from '../../src/processing/projection.ts'
import { startProcessManager } from '../../src/processing/start-process-manager.ts'
import { startBatchProcessor, startProcessor } from '../../src/processing/start-processor.ts'
import { startProjection } from '../../src/processing/start-projection.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { isWorthALine, Repeats, warningLogger } from '../../src/store/warning-logger.ts'
import { until } from '../processing/logs.ts'

/*
 * A handler that fails is heard of, also by who gave neither `onError` nor a logger: on stderr, with why and where.
 */

let printed: string[]
let store: EventStore
let running: { stop(): Promise<void> } | undefined

beforeEach(async () => {
  printed = []
  const print = (line: unknown) => void printed.push(String(line))
  vi.spyOn(console, 'warn').mockImplementation(print)
  vi.spyOn(console, 'error').mockImplementation(print)
  running = undefined
  store = await openEventStore('memory:')
  await store.appendToStream('order-1', [{ type: 'Placed', data: {} }])
})
afterEach(async () => {
  await running?.stop()
  await store.close()
  vi.restoreAllMocks()
})

const boom = () => {
  throw new TypeError('no such mailbox')
}
const failing = async () => boom()
const view = defineProjection({ name: 'view', initialState: () => 0, evolve: boom as () => number })
const manager = defineProcessManager({
  name: 'manager',
  correlate: () => 'one',
  initialState: () => 0,
  evolve: boom as () => number,
  steps: {},
  nextActions: () => [],
})

type Over = { readonly store: EventStore; readonly onError?: () => void; readonly logger?: Logger }
const retry = { maxAttempts: 1 }
const starts: Readonly<Record<string, (over: Over) => { stop(): Promise<void> }>> = {
  consume: ({ store: log, onError }) =>
    log.consume({ group: 'mailer', topics: [log.eventTopic], handler: failing, ...(onError && { onError }) }),
  startProcessor: (over) => startProcessor({ ...over, group: 'mailer', handler: failing, retry }),
  startBatchProcessor: (over) => startBatchProcessor({ ...over, group: 'mailer', handleBatch: failing, retry }),
  startProjection: (over) => startProjection({ ...over, projection: view }),
  startProcessManager: (over) => startProcessManager({ ...over, manager }),
}

describe.each(Object.entries(starts))('%s', (name, start) => {
  it('says what failed, where and why, with its stack', async () => {
    running = start({ store })
    await until(() => printed.length > 0)
    const [said = ''] = printed
    expect(said).toMatch(/^duolog: (?:warning|error): /)
    expect(said).toContain('TypeError: no such mailbox')
    expect(said).toMatch(/at \S*boom/)
    // Views and process managers name the place in the error's own words.
    expect(said).toMatch(/partition=\d+ offset=0|partition=\d+, offset=0|offset 0 of partition \d+ of "session.events"/)
    expect(said).toContain(name === 'consume' || name.endsWith('Processor') ? 'mailer' : name.slice('start'.length, 9))
  })

  it('leaves it to a listener where there is one', async () => {
    let heard = 0
    running = start({ store, onError: () => void heard++ })
    await until(() => heard > 0)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(printed).toEqual([])
  })

  it("tells it to the store's logger, if it has one", async () => {
    const told: string[] = []
    const tell = (fields: object, message: string) => void told.push(`${message} ${Object.keys(fields).join(' ')}`)
    const logged = await openEventStore('memory:', { logger: { ...silentLogger, warn: tell, error: tell } })
    await logged.appendToStream('order-1', [{ type: 'Placed', data: {} }])
    running = start({ store: logged })
    await until(() => told.length > 0)
    expect(told[0]).toContain('err')
    expect(printed).toEqual([])
    await running.stop()
    await logged.close()
  })
})

it('says that a message was put aside, and why', async () => {
  running = startProcessor({ store, group: 'mailer', handler: failing, retry })
  await until(() => printed.length > 1)
  expect(printed[1]).toContain('A message was put aside: no such mailbox (group=mailer, topic=session.events')
})

it('says that something stops by itself, and why', async () => {
  const stopping = [
    startProcessor({ store, group: 'mailer', handler: async () => ({ kind: 'stop', reason: 'enough' }) }),
    startProjection({ store, projection: view, poison: 'stop' }),
    startProcessManager({ store, manager, poison: 'stop' }),
  ]
  await Promise.all(stopping.map(({ stopped }) => stopped))
  expect(printed.filter((line) => line.includes(' stops: ')).toSorted()).toEqual([
    expect.stringMatching(/^duolog: warning: A process manager stops: .*no such mailbox/),
    'duolog: warning: A processor stops: enough (group=mailer)',
    expect.stringMatching(/^duolog: warning: A projection stops: .*no such mailbox/),
  ])
})

it('is no flood: what fails again and again is said the first time, the 10th, the 100th', async () => {
  const attempts = Array.from({ length: 1001 }, (_, index) => index + 1)
  expect(attempts.filter(isWorthALine)).toEqual([1, 10, 100, 1000])
  running = startProcessor({ store, group: 'mailer', handler: failing, retry: { maxAttempts: 12, longestPauseMs: 1 } })
  await until(() => printed.some((line) => line.includes('put aside')))
  const failures = printed.filter((line) => line.includes('A handler failed'))
  expect(failures.map((line) => /attempt=(\d+)/.exec(line)?.[1])).toEqual(['1', '10'])
  const repeats = new Repeats()
  expect(['a', 'b', 'a'].map((said) => repeats.count(new Error(said)))).toEqual([1, 1, 2])
})

it('says the code and the cause of an error, and nothing twice', () => {
  const cause = new Error('the disk is full')
  warningLogger.warn({ err: Object.assign(new Error('no', { cause }), { code: 'ENOSPC' }), topic: 't' }, 'It failed')
  expect(printed[0]).toMatch(/^duolog: warning: It failed \(topic=t\)\n {2}Error: no\n/)
  expect(printed[0]).toContain("code: 'ENOSPC'")
  expect(printed[0]).toContain('the disk is full')
  warningLogger.error({ reason: 'it is full', error: 'it is full' }, 'It failed: it is full')
  expect(printed[1]).toBe('duolog: error: It failed: it is full')
})
