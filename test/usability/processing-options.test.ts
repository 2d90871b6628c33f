import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BatchEventProcessor } from '../../src/processing/batch-event-processor.ts'
import { createCircuitBreaker } from '../../src/processing/circuit-breaker.ts'
import { discardDeadLetters, listDeadLetters, redriveDeadLetters } from '../../src/processing/dead-letters.ts'
import { createInbox, memoryInbox } from '../../src/processing/inbox.ts'
import { startInlineProjection } from '../../src/processing/inline-projection.ts'
import { defineProcessManager } from '../../src/processing/process-manager.ts'
import { defineProjection } from '../../src/processing/projection.ts'
import { sqliteInbox } from '../../src/processing/sqlite-inbox.ts'
import { startProcessManager } from '../../src/processing/start-process-manager.ts'
import { startBatchProcessor, startProcessor } from '../../src/processing/start-processor.ts'
import { startProjection } from '../../src/processing/start-projection.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { until } from '../processing/logs.ts'

/*
 * What people write who have no compiler beside them, with what processes the log: a wrong name is refused where it is
 * written, and so is what is missing.
 */

let store: EventStore
beforeEach(async () => {
  store = await openEventStore('memory:')
})
afterEach(() => store.close())

/** What it says, or what would go on with the wrong options. */
const messageOf = (run: () => unknown): Promise<string> =>
  Promise.resolve()
    .then(run)
    .then(
      (running) => {
        void (running as { stop?: () => Promise<void> } | undefined)?.stop?.()
        return 'it was accepted'
      },
      ({ code, message }) => `${code} ${message}`,
    )

type Options = Readonly<Record<string, unknown>>
const handler = async () => {}
const command = () => ({ topic: 't', type: 'Do', data: {} })
const step = { command, doneBy: ['Done'] }
const view = defineProjection({ name: 'view', initialState: () => 0, evolve: (n: number) => n + 1 })
const definition = {
  name: 'manager',
  correlate: () => undefined,
  initialState: () => 0,
  evolve: (n: number) => n,
  steps: { one: step },
  nextActions: () => [],
}
const manager = defineProcessManager(definition)
const spec = (options: object) => ({ name: 'view', initialState: () => 0, evolve: (n: number) => n, ...options })

/** Each with options that are enough. */
const starts = {
  startProcessor: (more: Options) => startProcessor({ store, group: 'g', handler, ...more } as never),
  startBatchProcessor: (more: Options) =>
    startBatchProcessor({ store, group: 'g', handleBatch: handler, ...more } as never),
  startProjection: (more: Options) => startProjection({ store, projection: view, ...more } as never),
  startInlineProjection: (more: Options) => startInlineProjection({ store, projection: view, ...more } as never),
  startProcessManager: (more: Options) => startProcessManager({ store, manager, ...more } as never),
  defineProjection: (more: Options) => defineProjection(spec(more) as never),
  defineProcessManager: (more: Options) => defineProcessManager({ ...definition, ...more } as never),
  createInbox: (more: Options) => createInbox({ consumer: 'c', store: memoryInbox(), ...more } as never),
  memoryInbox: (more: Options) => memoryInbox(more as never),
  sqliteInbox: (more: Options) => sqliteInbox({ database: { exec() {}, prepare() {} }, ...more } as never),
  BatchEventProcessor: (more: Options) => new BatchEventProcessor({ handlers: {}, ...more } as never),
  redriveDeadLetters: (more: Options) => redriveDeadLetters(store, 't', { by: 'ada', ...more } as never),
  discardDeadLetters: (more: Options) => discardDeadLetters(store, 't', { by: 'ada', reason: 'r', ...more } as never),
}
type Start = keyof typeof starts

describe('an option nobody reads is refused by name', () => {
  it.each<[Start, string, string]>([
    ['startProcessor', 'onerror', 'onError'],
    ['startBatchProcessor', 'maxBatchMesages', 'maxBatchMessages'],
    ['startProjection', 'viewStore', ''],
    ['startInlineProjection', 'projections', 'projection'],
    ['startProcessManager', 'maxInflight', 'maxInFlight'],
    ['defineProjection', 'topic', 'topics'],
    ['defineProcessManager', 'nextAction', 'nextActions'],
    ['createInbox', 'indoubt', 'inDoubt'],
    ['memoryInbox', 'maxMessage', 'maxMessages'],
    ['sqliteInbox', 'maxAge', 'maxAgeMs'],
    ['BatchEventProcessor', 'concurency', 'concurrency'],
    ['redriveDeadLetters', 'filtr', 'filter'],
    ['discardDeadLetters', 'dryrun', 'dryRun'],
  ])('%s: %s', async (start, wrong, meant) => {
    expect(await messageOf(() => starts[start]({}))).toBe('it was accepted')
    const said = await messageOf(() => starts[start]({ [wrong]: 1 }))
    const advice = meant === '' ? '' : ` Did you mean "${meant}"?`
    expect(said).toContain(`INVALID_ARGUMENT options of ${start}: there is no "${wrong}".${advice} Known are `)
  })

  it('inside retry, breaker, filter, steps and their compensations', async () => {
    const saidBy = (start: Start, more: Options) => messageOf(() => starts[start](more))
    expect(await saidBy('startProcessor', { retry: { maxAttempt: 3 } })).toContain(
      'retry: there is no "maxAttempt". Did you mean "maxAttempts"?',
    )
    const breaker = 'options of a circuit breaker: there is no "failure". Did you mean "failures"?'
    expect(await saidBy('startProcessor', { breaker: { failure: 3 } })).toContain(breaker)
    expect(await messageOf(() => createCircuitBreaker({ failure: 3 } as never))).toContain(breaker)
    // All letters would be discarded.
    expect(await saidBy('discardDeadLetters', { filter: { grup: 'g' } })).toContain('filter: there is no "grup". Did')
    expect(await messageOf(() => listDeadLetters(store, 't', { typ: 'T' } as never))).toContain('Did you mean "type"?')
    expect(await saidBy('defineProcessManager', { steps: { one: { ...step, doneby: [] } } })).toContain(
      'step "one": there is no "doneby". Did you mean "doneBy"?',
    )
    const undone = { ...step, compensation: { ...step, retries: 3 } }
    expect(await saidBy('defineProcessManager', { steps: { one: undone } })).toContain(
      'the compensation of step "one": there is no "retries".',
    )
  })

  it('where a view is read: it would not be waited for', async () => {
    const running = startProjection({ store, projection: view })
    const inline = await startInlineProjection({ store, projection: view })
    const appended = await store.appendToStream('a', [{ type: 'A', data: {} }])
    expect(await messageOf(() => running.get('a', { atfer: appended } as never))).toContain('Did you mean "after"?')
    expect(await messageOf(() => running.waitFor(appended, { timeout: 5 } as never))).toContain('"timeoutMs"?')
    expect(await messageOf(() => running.list({ prefx: 'a' } as never))).toContain('Did you mean "prefix"?')
    expect(await messageOf(() => inline.list({ prefx: 'a' } as never))).toContain('Did you mean "prefix"?')
    const pending = store.appendToStream('a', [{ type: 'A', data: {} }])
    expect(await messageOf(() => running.get('a', { after: pending as never }))).toContain(
      'a promise: await the append',
    )
    expect(await running.get('a', { after: await pending, timeoutMs: 5000 })).toBe(2)
    await running.stop()
  })
})

describe('what is missing or of the wrong kind is named', () => {
  it.each<[Start, Options, string]>([
    ['startProcessor', { store: undefined }, 'store must be an event store, from openEventStore, got nothing'],
    ['startProcessor', { store: openEventStore('memory:') }, 'store is a promise: await openEventStore(…).'],
    ['startProcessor', { handler: undefined }, 'handler must be a function, got nothing'],
    ['startProcessor', { group: undefined }, '(group) must be text, got nothing'],
    ['startProcessor', { topics: 'mails' }, 'topics must be a list of at least one topic, got "mails"'],
    ['startProcessor', { order: 'keys' }, 'order must be one of partition, key, got "keys"'],
    ['startProcessor', { retry: { firstPauseMs: '5' } }, 'retry.firstPauseMs must be a number of at least 0, got "5"'],
    ['startProcessor', { retry: 3 }, 'retry must be an object, got number'],
    ['startProcessor', { onError: 'log' }, 'onError must be a function, got "log"'],
    ['startProcessor', { logger: { warn() {} } }, 'logger.debug must be a function'],
    ['startBatchProcessor', { handleBatch: [] }, 'handleBatch must be a function, got a list'],
    ['startBatchProcessor', { store: openEventStore('memory:') }, 'store is a promise'],
    ['startProjection', { projection: undefined }, 'projection must be made by defineProjection({ … }), got nothing'],
    ['startProjection', { store: openEventStore('memory:') }, 'store is a promise'],
    ['startProjection', { views: Promise.resolve() }, 'views is a promise: await memoryViews() or'],
    ['startProjection', { poison: 'ignore' }, 'poison must be one of wait, skip, deadLetter, stop, got "ignore"'],
    ['startInlineProjection', { projection: {} }, 'projection must be made by defineProjection({ … })'],
    ['startProcessManager', { manager: undefined }, 'manager must be made by defineProcessManager({ … }), got nothing'],
    ['startProcessManager', { store: openEventStore('memory:') }, 'store is a promise'],
    ['startProcessManager', { maxInFlight: 0 }, 'maxInFlight must be an integer of at least 1, got 0'],
    ['defineProjection', { initialState: 0 }, 'initialState of projection "view" must be a function, got 0'],
    ['defineProjection', { evolve: undefined }, 'Either evolve or handlers of projection "view" must be given'],
    [
      'defineProjection',
      { evolve: undefined, handlers: { A: 1 } },
      'A in handlers of projection "view" must be a func',
    ],
    ['defineProjection', { topics: 'mails' }, 'topics of projection "view" must be a list of at least one topic'],
    ['defineProcessManager', { evolve: undefined }, 'evolve of process manager "manager" must be a function'],
    ['defineProcessManager', { steps: [step] }, 'steps of process manager "manager" must be steps by name, got a list'],
    ['defineProcessManager', { steps: { one: undefined } }, 'step "one" must be an object, got null'],
    ['defineProcessManager', { steps: { one: { command, doneBy: 'Done' } } }, 'doneBy of step "one" must be a list'],
    ['defineProcessManager', { steps: { one: { doneBy: ['Done'] } } }, 'command of step "one" must be a function'],
    ['createInbox', { store: undefined }, 'store must be made by memoryInbox() or sqliteInbox({ path }), got nothing'],
    ['createInbox', { inDoubt: 'never' }, 'inDoubt must be one of ask, retry, skip, got "never"'],
    ['BatchEventProcessor', { handlers: { A: 'x' } }, 'A in handlers must be a function, got "x"'],
    ['redriveDeadLetters', { by: undefined }, 'by must be text, got nothing'],
    ['discardDeadLetters', { reason: undefined }, 'reason must be text, got nothing'],
    ['discardDeadLetters', { filter: { status: 'closed' } }, 'status must be one of open, redriven, discarded, any'],
  ])('%s: %o', async (start, wrong, expected) => {
    const said = await messageOf(() => starts[start](wrong))
    expect(said).toContain(expected)
    expect(said).toMatch(/^INVALID_ARGUMENT /)
  })

  it.each(Object.keys(starts))('%s without any options says what it needs', async (start) => {
    const all: Readonly<Record<string, (nothing: never) => unknown>> = {
      ...{ startProcessor, startBatchProcessor, startProjection, startInlineProjection, startProcessManager },
      ...{ defineProjection, defineProcessManager, createInbox, sqliteInbox },
      memoryInbox: () => memoryInbox(null as never),
      BatchEventProcessor: (nothing) => new BatchEventProcessor(nothing),
      redriveDeadLetters: (nothing) => redriveDeadLetters(store, 't', nothing),
      discardDeadLetters: (nothing) => discardDeadLetters(store, 't', nothing),
    }
    expect(await messageOf(() => all[start]?.(undefined as never))).toMatch(/^INVALID_ARGUMENT /)
  })

  it('what a person says of a message in doubt', async () => {
    const inbox = createInbox({ consumer: 'c', store: memoryInbox() })
    expect(await messageOf(() => inbox.resolve('m', 'notdone' as never))).toContain(
      'outcome must be one of done, not-done',
    )
    expect(await messageOf(() => inbox.once('m', undefined as never))).toContain('effect must be a function')
    expect(await inbox.inDoubt()).toEqual([])
  })
})

describe('what a handler answers', () => {
  it.each(['deadLetter', 'stop'])('%s without a reason is refused, not tried for ever', async (kind) => {
    await store.appendToStream('a', [{ type: 'A', data: {} }])
    const heard = Promise.withResolvers<string>()
    const processor = startProcessor({
      store,
      group: 'g',
      handler: async () => ({ kind }) as never,
      retry: { maxAttempts: 1 },
      onError: (error) => heard.resolve(String(error)),
    })
    expect(await heard.promise).toContain(`A handler's ${kind} needs a reason, text, got nothing.`)
    await until(async () => (await listDeadLetters(store, store.eventTopic)).length === 1)
    await processor.stop()
  })
})
