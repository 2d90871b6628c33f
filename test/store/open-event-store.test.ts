import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { defineCatalogue, defineEvent } from '../../src/core/catalogue.ts'
import type { AnyEvent } from '../../src/core/event.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'

const paid = defineEvent({
  name: 'Paid',
  version: 2,
  data: z.object({
    cents: z.number(),
    at: z.codec(z.iso.datetime(), z.date(), { decode: (t) => new Date(t), encode: (d) => d.toISOString() }),
  }),
  upcast: { 1: (old: { euros: number }) => ({ cents: old.euros * 100, at: '2020-01-01T00:00:00.000Z' }) },
})
const task = defineEvent({ name: 'Remind', data: z.object({ n: z.number() }) })
const events = defineCatalogue([paid, task])
const at = new Date('2026-05-05T05:05:05.000Z')

describe('openEventStore', () => {
  it('opens what the URL says', async () => {
    const store = await openEventStore('memory:')
    expect(store.backing).toBe('memory')
    await store.close()
    await expect(openEventStore('nonsense:')).rejects.toMatchObject({ code: 'UNKNOWN_URL_SCHEME' })
  })

  it('shares memory:NAME within the process, and gives memory: to one alone', async () => {
    const [one, two] = [await openEventStore('memory:shared'), await openEventStore('memory:shared')]
    await one.appendToStream('s', [{ type: 'Happened', data: 1 }])
    expect(await typesOf(two, 's')).toEqual(['Happened'])
    expect(await typesOf(await openEventStore('memory:'), 's')).toEqual([])
  })

  it('honours parameters of the URL, and options before them', async () => {
    const options = { eventTopic: 'option.events' }
    const stores = [
      await openEventStore('memory:?eventTopic=url.events'),
      await openEventStore('memory:?eventTopic=x', options),
    ]
    const topics = stores.map(async (store) => {
      await store.appendToStream('s', [{ type: 'Happened', data: 1 }])
      for await (const { topic } of store.readStream('s')) return topic
      return undefined
    })
    expect(await Promise.all(topics)).toEqual(['url.events', 'option.events'])
  })

  it('opens a file that a later store finds again', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'duolog-open-'))
    const url = `file:${join(folder, 'run.db')}`
    const first = await openEventStore(url, { events })
    await first.appendToStream('s', [paid.create({ cents: 5, at })])
    await first.close()
    const second = await openEventStore(url, { events })
    expect(second.backing).toBe('file')
    expect(await dataOf(second, 's')).toEqual([{ cents: 5, at }])
    await second.close()
    await rm(folder, { recursive: true })
  })
})

describe('a store with a catalogue', () => {
  it('stores JSON of the current version, and reads it decoded', async () => {
    const { typed, plain } = await both('current')
    await typed.appendToStream('s', [{ type: 'Paid', data: { cents: 5, at } }])
    for await (const { version, data } of plain.readStream('s')) {
      expect({ version, data }).toEqual({ version: 2, data: { cents: 5, at: at.toISOString() } })
    }
    expect(await dataOf(typed, 's')).toEqual([{ cents: 5, at }])
  })

  it('brings old events up to date in reads, folds and consumers alike', async () => {
    const { typed, plain } = await both('old')
    await plain.appendToStream('s', [{ type: 'Paid', data: { euros: 3 } }])
    const upToDate = { cents: 300, at: new Date('2020-01-01T00:00:00.000Z') }
    expect(await dataOf(typed, 's')).toEqual([upToDate])
    const { state } = await typed.aggregateStream('s', {
      initialState: () => [] as unknown[],
      evolve: (seen, event) => [...seen, event.data],
    })
    expect(state).toEqual([upToDate])
    const handled = await new Promise((resolve) => {
      typed.consume({ group: 'g', topics: ['session.events'], handler: async ({ data }) => resolve(data) })
    })
    expect(handled).toEqual(upToDate)
    await typed.close()
  })

  it('validates before anything is written: one bad event, and the good ones stay out (P2)', async () => {
    const { typed, plain } = await both('bad')
    const good = paid.create({ cents: 1, at })
    const append = (bad: AnyEvent) => typed.appendToStream('s', [good, bad as typeof good])
    await expect(append({ type: 'Paid', data: { cents: '1', at } })).rejects.toMatchObject({
      code: 'INVALID_EVENT',
      message: expect.stringMatching(/events\[1\]: "Paid" has data[\s\S]*cents/),
    })
    await expect(append({ type: 'Payed', data: {} })).rejects.toMatchObject({ code: 'UNKNOWN_EVENT_TYPE' })
    await expect(append(null as never)).rejects.toMatchObject({ code: 'INVALID_EVENT' })
    await expect(typed.appendToStream('s', 'text' as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(await typesOf(plain, 's')).toEqual([])
  })

  it('says so when the log was written by a newer program, and leaves it as it is', async () => {
    const { typed, plain } = await both('newer')
    await plain.appendToStream('s', [{ type: 'Paid', version: 3, data: {} }])
    await expect(dataOf(typed, 's')).rejects.toMatchObject({
      code: 'EVENT_VERSION_NEWER',
      message: expect.stringContaining('Event 1 of stream "s": "Paid" has version 3, this program knows up to 2'),
    })
    expect(await typesOf(plain, 's')).toEqual(['Paid'])
  })

  it('validates the messages it has definitions for, and passes the others', async () => {
    const { typed } = await both('messages')
    const send = (type: string, data: unknown) =>
      typed.appendToStream('s', [], { outgoing: [{ topic: 'quality.gates', key: 'k', type, data }] })
    await expect(send('Remind', { n: 'one' })).rejects.toMatchObject({ code: 'INVALID_EVENT' })
    await send('Foreign', { any: true })
    await send('Remind', { n: 1 })
    const seen: unknown[] = []
    await new Promise<void>((resolve) => {
      typed.consume({
        group: 'g',
        topics: ['quality.gates'],
        handler: async ({ type, data }) => {
          if (seen.push({ type, data }) === 2) resolve()
        },
      })
    })
    expect(seen).toEqual([
      { type: 'Foreign', data: { any: true } },
      { type: 'Remind', data: { n: 1 } },
    ])
    await typed.close()
  })
})

/** The same log with and without the catalogue. */
async function both(name: string) {
  const url = `memory:open-event-store-${name}`
  return { typed: await openEventStore(url, { events }), plain: await openEventStore(url) }
}

async function typesOf(store: EventStore, stream: string): Promise<string[]> {
  const types: string[] = []
  for await (const { type } of store.readStream(stream)) types.push(type)
  return types
}

async function dataOf<E extends AnyEvent>(store: EventStore<E>, stream: string): Promise<unknown[]> {
  const data: unknown[] = []
  for await (const event of store.readStream(stream)) data.push(event.data)
  return data
}
