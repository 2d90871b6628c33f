import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { Decider } from '../../src/core/decider.ts'
import type { Event } from '../../src/core/event.ts'
import type { Logger } from '../../src/core/logger.ts'
import { createCommandHandler } from '../../src/store/command-handler.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openMemoryStore } from '../../src/store/memory/memory-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import type { SnapshotOptions } from '../../src/store/snapshot-store.ts'
import { Snapshots, type SnapshotTable } from '../../src/store/snapshots.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { counting, snapshotSuite } from './snapshot-suite.ts'
import { type TempLog, tempLog } from './sqlite/temp-log.ts'

snapshotSuite('memory', () => ({ open: async () => openMemoryStore({ name: 'snapshots' }) }))

let file: TempLog
beforeEach(() => {
  file = tempLog()
})
afterEach(() => file.remove())

snapshotSuite('a file', () => ({ open: () => openEventStore(`file:${file.path}`) }))

function listening(): { readonly logger: Logger; readonly said: string[] } {
  const said: string[] = []
  return { said, logger: { debug() {}, info() {}, warn: (_fields, message) => void said.push(message), error() {} } }
}

const counter = { initialState: () => ({ count: 0 }), evolve: ({ count }: { count: number }) => ({ count: count + 1 }) }
type Counter = { readonly count: number }

async function steps<State>(
  store: EventStore,
  stream: string,
  fold: { initialState: () => State; evolve: (state: State) => State; snapshot: SnapshotOptions<State> },
): Promise<{ readonly read: number; readonly state: State }> {
  const counted = counting(store)
  const { state } = await counted.store.aggregateStream(stream, fold)
  await store.snapshots.idle()
  return { read: counted.read(), state }
}

const twenty = Array.from({ length: 20 }, () => ({ type: 'Counted', data: null }))

describe('N1 what is wrong with a snapshot', () => {
  it.each([
    ['half of one', '{"version":1,"streamPosition":20,', 'not a snapshot'],
    ['another number in its state', undefined, 'its checksum does not fit'],
  ])('%s is said once, and the fold is right', async (_what, damaged, reason) => {
    const { logger, said } = listening()
    const store = await openEventStore(`file:${file.path}`, { logger })
    const snapshot = { name: 'count', version: 1, every: 10 }
    await store.appendToStream('s', twenty)
    await steps<Counter>(store, 's', { ...counter, snapshot })
    const db = new DatabaseSync(file.path)
    const text = String(db.prepare('SELECT snapshot FROM snapshots').get()?.snapshot)
    db.prepare('UPDATE snapshots SET snapshot = ?').run(damaged ?? text.replace('"count":20', '"count":21'))
    db.close()
    const never = { ...snapshot, every: 1000 }
    for (const _ of [1, 2]) {
      expect(await steps<Counter>(store, 's', { ...counter, snapshot: never })).toEqual({
        read: 20,
        state: { count: 20 },
      })
    }
    expect(said).toEqual([expect.stringContaining(reason)])
    await store.close()
  })

  it('a table that fails to read or to write is said once, and costs nothing but time', async () => {
    const { logger, said } = listening()
    const broken = () => Promise.reject(new Error('no disk'))
    const table: SnapshotTable = { load: broken, save: broken, clear: broken }
    const snapshots = new Snapshots(table, logger)
    for (const _ of [1, 2]) {
      expect(await snapshots.load('count', 's')).toBeUndefined()
      snapshots.save('count', 's', { version: 1, streamPosition: 1, eventId: 'e', writtenAtMs: 0, state: 1 })
      await snapshots.idle()
    }
    expect(said).toEqual([
      'The snapshot "count" is not used: snapshots cannot be read (no disk)',
      'The snapshot "count" is not used: it could not be written (no disk)',
    ])
  })

  it('a state that JSON cannot carry is said, and no snapshot is made; toJson and fromJson help', async () => {
    const { logger, said } = listening()
    const store = openMemoryStore({ logger })
    await store.appendToStream('s', twenty)
    const fold = { initialState: () => new Set([0]), evolve: (set: Set<number>) => new Set([...set, set.size]) }
    const snapshot = { name: 'set', version: 1, every: 5 }
    await steps(store, 's', { ...fold, snapshot })
    expect(said).toEqual([expect.stringContaining('give toJson and fromJson')])
    const able = {
      ...snapshot,
      toJson: (set: Set<number>) => [...set],
      fromJson: (json: unknown) => new Set(json as []),
    }
    await steps(store, 's', { ...fold, snapshot: able })
    const again = await steps(store, 's', { ...fold, snapshot: able })
    expect(again).toEqual({ read: 1, state: new Set(Array.from({ length: 21 }, (_, n) => n)) })
  })

  it('N4 a state that is changed after the fold does not get into it', async () => {
    const store = openMemoryStore()
    await store.appendToStream('s', twenty)
    const snapshot = { name: 'list', version: 1, every: 5 }
    const fold = { initialState: () => [] as number[], evolve: (list: number[]) => [...list, 1], snapshot }
    const { state } = await store.aggregateStream('s', fold)
    state.length = 0
    await store.snapshots.idle()
    expect((await store.aggregateStream('s', fold)).state).toHaveLength(20)
  })
})

describe('which snapshots count', () => {
  it('one whose schema is another does not', async () => {
    const store = openMemoryStore()
    await store.appendToStream('s', twenty)
    const kind = (schema: z.ZodType) => ({ ...counter, snapshot: { name: 'count', version: 1, every: 10, schema } })
    await steps<Counter>(store, 's', kind(z.object({ count: z.number() })))
    expect((await steps<Counter>(store, 's', kind(z.object({ count: z.number() })))).read).toBe(1)
    expect((await steps<Counter>(store, 's', kind(z.object({ count: z.int() })))).read).toBe(20)
  })

  it('a new one is made when the last is too old and something happened since', async () => {
    const store = openMemoryStore()
    const clock = virtualClock()
    const fold = { ...counter, snapshot: { name: 'count', version: 1, everyMs: 60_000, clock } }
    await store.appendToStream('s', twenty)
    await steps<Counter>(store, 's', fold)
    await store.appendToStream('s', twenty)
    expect((await steps<Counter>(store, 's', fold)).read).toBe(21)
    clock.advance(60_000)
    expect((await steps<Counter>(store, 's', fold)).read).toBe(21)
    expect((await steps<Counter>(store, 's', fold)).read).toBe(1)
  })
})

describe('N2 a snapshot whose write hangs', () => {
  it('holds up neither folds nor commands, and of those that wait the newest one is left', async () => {
    const texts: string[] = []
    const save = (_name: string, _stream: string, text: string) => {
      texts.push(text)
      return new Promise<void>(() => {})
    }
    const table: SnapshotTable = { load: async () => undefined, save, clear: async () => {} }
    const store = openMemoryStore()
    Object.defineProperty(store, 'snapshots', { value: new Snapshots(table, listening().logger) })
    const snapshot = { name: 'count', version: 1, every: 1 }
    const decider: Decider<Counter, number, Event<'Counted', number>> = {
      ...counter,
      decide: (data) => [{ type: 'Counted', data }],
    }
    const handler = createCommandHandler({ store, decider, snapshot })
    for (let n = 1; n <= 5; n++) {
      await handler.handle('s', n)
      expect((await store.aggregateStream('s', { ...counter, snapshot })).state).toEqual({ count: n })
    }
    expect(texts).toHaveLength(1)
    await store.close()
  })
})

describe('a command handler with snapshots', () => {
  type Added = Event<'Added', { readonly n: number }>
  const decider: Decider<number, number, Added> = {
    initialState: () => 0,
    decide: (n) => [{ type: 'Added', data: { n } }],
    evolve: (sum, { data }) => sum + data.n,
  }
  const snapshot = { name: 'sum', version: 1, every: 10 }

  it('makes them after appends, and one that starts cold reads the tail', async () => {
    const store = openMemoryStore()
    const handler = createCommandHandler({ store, decider, snapshot })
    for (let n = 1; n <= 25; n++) await handler.handle('s', n)
    await expect.poll(async () => (await store.snapshots.load('sum', 's'))?.streamPosition).toBeGreaterThanOrEqual(20)
    await store.snapshots.idle()
    const counted = counting(store)
    const cold = createCommandHandler({ store: counted.store, decider, snapshot })
    expect(await cold.load('s')).toEqual({ state: 325, currentStreamVersion: 25 })
    expect(counted.read()).toBeLessThanOrEqual(6)
  })

  it('may make them of the state at hand: one event is read, and no fold', async () => {
    const { store, read } = counting(openMemoryStore())
    const handler = createCommandHandler({ store, decider, snapshot, snapshotFrom: 'state' })
    for (let n = 1; n <= 25; n++) await handler.handle('s', n)
    const taken = async () => (await store.snapshots.load('sum', 's'))?.streamPosition
    await expect.poll(taken).toBe(20)
    // Of the first load nothing: there was no stream.
    expect(read()).toBe(2)
    const cold = createCommandHandler({ store, decider, snapshot })
    expect(await cold.load('s')).toEqual({ state: 325, currentStreamVersion: 25 })
    expect(read()).toBe(2 + 6)
  })
})
