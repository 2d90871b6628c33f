import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import * as z from 'zod'
import { defineCatalogue, defineEvent } from '../../src/core/catalogue.ts'
import { createCommandHandler } from '../../src/store/command-handler.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { subscribe } from '../../src/store/subscribe.ts'

/*
 * What people write who have no compiler beside them: a wrong name must not be a silent nothing.
 */

let store: EventStore
beforeEach(async () => {
  store = await openEventStore('memory:')
  await store.appendToStream('a-1', [{ type: 'Opened', data: {} }])
})
afterEach(() => store.close())

const messageOf = (run: () => unknown): Promise<string> =>
  Promise.resolve()
    .then(run)
    .then(
      () => 'it was accepted',
      ({ code, message }) => `${code} ${message}`,
    )
const opened = [{ type: 'Opened', data: {} }]

describe('a name nobody reads is refused', () => {
  it('in the options of an append, where it would be a check that does not check', async () => {
    const said = await messageOf(() => store.appendToStream('a-1', opened, { expectedVersion: 0 } as never))
    expect(said).toContain('INVALID_ARGUMENT options of appendToStream: there is no "expectedVersion".')
    expect(said).toContain('Known are expectedStreamVersion, idempotencyKey')
    const key = await messageOf(() => store.appendToStream('a-1', opened, { idempotencykey: 'k' } as never))
    expect(key).toContain('Did you mean "idempotencyKey"?')
    expect((await store.aggregateStream('a-1', { initialState: () => 0, evolve: (n) => n + 1 })).state).toBe(1)
  })

  it('in an event, whose field would be lost', async () => {
    const event = { type: 'Opened', data: {}, metadata: { user: 'ada' } }
    const said = await messageOf(() => store.appendToStream('a-1', [event]))
    expect(said).toContain('INVALID_EVENT events[0] (Opened): there is no "metadata".')
    expect(said).toContain('headers')
    const message = { topic: 't', key: 'k', type: 'T', data: {}, ky: 1 }
    expect(await messageOf(() => store.appendToStream('a-1', [], { outgoing: [message] }))).toContain(
      'INVALID_EVENT outgoing[0] (T): there is no "ky". Did you mean "key"?',
    )
  })

  it('but an event that was read can be appended as it is', async () => {
    const [recorded] = await Array.fromAsync(store.readStream('a-1'))
    const copied = await store.appendToStream('copy', [recorded!])
    expect(copied.currentStreamVersion).toBe(1)
    expect(await messageOf(() => store.appendToStream('a-1', opened, { signal: undefined } as never))).toBe(
      'it was accepted',
    )
  })

  it('in the options of what reads', async () => {
    expect(await messageOf(() => Array.fromAsync(store.readStream('a-1', { form: 2 } as never)))).toContain(
      'options of readStream: there is no "form". Did you mean "from"?',
    )
    expect(await messageOf(() => subscribe(store, { categry: 'a' } as never))).toContain('Did you mean "category"?')
    const consume = { group: 'g', topic: ['t'], topics: ['t'], handler: async () => {} }
    expect(await messageOf(() => store.consume(consume as never))).toContain('Did you mean "topics"?')
  })

  it('in the options of openEventStore', async () => {
    expect(await messageOf(() => openEventStore('memory:', { event: 1 } as never))).toContain('Did you mean "events"?')
    expect(await messageOf(() => openEventStore('memory:', 'x' as never))).toContain('must be an object, got string')
  })
})

describe('what is of the wrong kind is named', () => {
  const event = defineEvent({ name: 'Opened', data: z.object({}) })

  it('a list of events where a catalogue belongs', async () => {
    const said = await messageOf(() => openEventStore('memory:', { events: [event] } as never))
    expect(said).toBe('INVALID_ARGUMENT events must be a catalogue: defineCatalogue([…]), got a list.')
  })

  it('options of a store', async () => {
    expect(await messageOf(() => openEventStore('memory:', { appendTimeoutMs: '5' } as never))).toContain(
      'appendTimeoutMs',
    )
    expect(await messageOf(() => openEventStore('memory:', { leaseMs: -1 }))).toContain('leaseMs')
    expect(await messageOf(() => openEventStore('memory:', { eventTopic: 'a b' }))).toContain('not a topic name')
    expect(await messageOf(() => openEventStore('memory:', { clock: 3 } as never))).toContain('clock')
    expect(await messageOf(() => openEventStore('memory:', { logger: {} } as never))).toContain('logger')
  })

  it('definitions of events', async () => {
    expect(await messageOf(() => defineEvent({ name: 'A' } as never))).toContain('data')
    expect(await messageOf(() => defineEvent({ name: 'A', schema: z.object({}) } as never))).toContain('"schema"')
    expect(await messageOf(() => defineEvent({ name: 'A', data: {} } as never))).toContain('schema')
    expect(await messageOf(() => defineCatalogue({} as never))).toContain('list')
    expect(await messageOf(() => defineCatalogue(['A'] as never))).toContain('defineEvent')
    expect(await messageOf(() => defineCatalogue([], { unknownEvents: 'ignore' } as never))).toContain('refuse')
  })

  it('a schema that validates asynchronously, or throws, with the event it is of', async () => {
    const name = z.string().refine(async () => true)
    const thrown = z.string().refine((text) => (text as unknown as { x: { y: boolean } }).x.y)
    const vendor = {
      version: 1 as const,
      vendor: 'own',
      validate: async () => Promise.reject(new Error('never heard')),
    }
    const schemas = { Plain: z.object({ name }), Coded: z.object({ name: name.default('x') }), Thrown: thrown }
    const list = Object.entries({ ...schemas, Own: { '~standard': vendor } })
    const catalogue = defineCatalogue(list.map(([type, data]) => defineEvent({ name: type, data })) as never[])
    const typed = (await openEventStore('memory:', { events: catalogue })) as unknown as EventStore
    const append = (type: string, data: unknown) => messageOf(() => typed.appendToStream('a', [{ type, data }]))
    for (const type of ['Plain', 'Coded', 'Own']) {
      const said = await append(type, { name: 'ada' })
      expect(said).toContain(`INVALID_EVENT events[0]: "${type}" has data that is not as defined`)
      expect(said).toContain('its schema validates asynchronously')
    }
    expect(await append('Thrown', 'ada')).toMatch(/^INVALID_EVENT .*"Thrown".*\nits schema threw: .*undefined/)
    const stored = () => catalogue.fromStored({ type: 'Plain', version: 1, data: { name: 'ada' } }, 'offset 3')
    expect(await messageOf(stored)).toContain('INVALID_EVENT offset 3: "Plain" does not fit its definition (version 1)')
    await typed.close()
  })

  it('a store that was not awaited, a decider without its functions, an answer that is no list', async () => {
    const decider = { initialState: () => 0, decide: () => [] as never[], evolve: (n: number) => n }
    const make = (options: object) => createCommandHandler(options as never)
    expect(await messageOf(() => make({ store: openEventStore('memory:'), decider }))).toContain(
      'store is a promise: await openEventStore(…).',
    )
    expect(await messageOf(() => make({ store, decider: {} }))).toContain('decider.initialState must be a function')
    expect(await messageOf(() => make({ store, decider, snapshotFrom: 'stat' }))).toContain('snapshotFrom must be')
    expect(await messageOf(() => make({ store, decider, cacheStream: 1 }))).toContain('Did you mean "cacheStreams"?')
    const answer = (said: unknown) =>
      messageOf(() => make({ store, decider: { ...decider, decide: () => said } }).handle('a-1', 1))
    expect(await answer(Promise.resolve([]))).toContain(
      'decide must answer a list of events, got a promise: it must not be async',
    )
    expect(await answer(undefined)).toContain('decide must answer a list of events, got nothing')
    expect(await answer({ type: 'A', data: {} })).toContain('decide must answer a list of events')
    expect(
      await messageOf(() => make({ store, decider }).handle('a-1', 1, { expectedStreamVersion: 1 } as never)),
    ).toContain('there is no "expectedStreamVersion"')
  })
})
