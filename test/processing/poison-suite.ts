import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineCatalogue, defineEvent } from '../../src/core/catalogue.ts'
import type { Event, NewEvent } from '../../src/core/event.ts'
import { deadLetterEvents } from '../../src/processing/dead-letter.ts'
import { discardDeadLetters, listDeadLetters, redriveDeadLetters } from '../../src/processing/dead-letters.ts'
import type { PoisonOptions } from '../../src/processing/poison-policy.ts'
import { defineProjection } from '../../src/processing/projection.ts'
import { sqliteViews } from '../../src/processing/sqlite-views.ts'
import { startProjection } from '../../src/processing/start-projection.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { type LogKind, until, workbench } from './logs.ts'

type Added = Event<'Added', { n: number }>
const added = (n: number): Added => ({ type: 'Added', data: { n } })
const TOPIC = 'session.events'

/** Throws at whatever is no number, as a fold over every event does at one it does not know. */
const sums = (cannot: number) =>
  defineProjection<number, Added>({
    name: 'sums',
    initialState: () => 0,
    evolve: (sum, { data: { n } }) => {
      if (typeof n !== 'number' || n === cannot) throw new Error(`cannot add ${n}`)
      return sum + n
    },
  })

interface Started {
  readonly cannot?: number
  readonly on?: EventStore<Added> & EventStore
  readonly projection?: ReturnType<typeof sums>
}

function block<T>(ms: number, answer: T): T {
  const beganMs = performance.now()
  while (performance.now() - beganMs < ms) Math.sqrt(beganMs)
  return answer
}

function cyclic(): unknown {
  const row: unknown[] = []
  row.push(row)
  return row
}

/** What a projection does with what it cannot take in, on any log. */
export function poisonSuite(log: LogKind): void {
  const bench = workbench()

  describe(`poison in a projection: ${log.name}`, () => {
    async function setUp() {
      const folder = bench.folder()
      const url = log.newUrl(folder)
      const store = (await bench.open<Added>(url)) as EventStore<Added> & EventStore
      const views = await sqliteViews(join(folder, 'views.db'))
      bench.later(() => views.close())
      const skipped: string[] = []
      const onSkipped = ({ type, data }: { type: string; data: unknown }) =>
        void skipped.push(`${type} ${(data as { n?: number }).n ?? ''}`)
      const start = (
        options: PoisonOptions & { blockedAfterMs?: number; onError?: (error: unknown) => void },
        { cannot = 13, on = store, projection = sums(cannot) }: Started = {},
      ) => bench.running(startProjection<number, Added>({ store: on, projection, views, onSkipped, ...options }))
      return { url, store, skipped, start }
    }

    it('P5 deadLetter: put aside once, also when the view is built again; what is behind it goes on', async () => {
      const { store, skipped, start } = await setUp()
      const last = await store.appendToStream('a', [added(1), added(13), added(2)])
      const view = start({ poison: 'deadLetter' })
      expect(await view.get('a', { after: last })).toBe(3)
      const letters = await listDeadLetters(store, TOPIC)
      const expected = { group: 'projection.sums.v1', view: 'sums', key: 'a', type: 'Added', data: { n: 13 } }
      expect(letters).toMatchObject([{ ...expected, reason: 'cannot add 13', streamPosition: 2, attempts: 1 }])
      await view.rebuild()
      expect(await view.get('a')).toBe(3)
      expect(await listDeadLetters(store, TOPIC)).toHaveLength(1)
      expect(skipped.filter((what) => what === 'Added 13')).toHaveLength(2)
      // The letter itself came by, and is no letter of its own.
      await view.waitFor({ stream: `dead-letters:${TOPIC}`, currentStreamVersion: 1 })
      await until(() => skipped.includes('DeadLettered '))
      expect(await listDeadLetters(store, TOPIC, { status: 'any' })).toHaveLength(1)
    })

    it('who waits in vain for a partition that does not get on hears why, and who waits for another one does not', async () => {
      const { store, start } = await setUp()
      const bad = await store.appendToStream('a', [added(1), added(13)])
      const heard = Promise.withResolvers<unknown>()
      const view = start({ poison: 'wait', onError: heard.resolve })
      const failure = await heard.promise
      const late = view.get('a', { after: bad, timeoutMs: 5 })
      const message = expect.stringMatching(
        /^Projection "sums" was not that far after 5 ms, since it does not get on: .*Added of "a".*cannot add 13/,
      )
      await expect(late).rejects.toMatchObject({ code: 'TIMEOUT', message, cause: { code: 'PROJECTION_FAILED' } })
      await expect(late).rejects.toHaveProperty('cause.cause.message', 'cannot add 13')
      expect(failure).toMatchObject({ code: 'PROJECTION_FAILED' })
      const other = (await store.partitionEnds(TOPIC)).find(({ offset }) => offset === 0)
      const waiting = other === undefined ? undefined : view.waitFor({ ...other, offset: 99 }, { timeoutMs: 5 })
      await expect(waiting).rejects.toMatchObject({ code: 'TIMEOUT', message: expect.stringMatching(/after 5 ms\.$/) })
      await expect(waiting).rejects.not.toHaveProperty('cause')
    })

    it('who waits for a view that stops at a message hears why', async () => {
      const { store, start } = await setUp()
      const last = await store.appendToStream('a', [added(13), added(1)])
      const view = start({ poison: 'stop' })
      const waiting = view.waitFor(last)
      await expect(waiting).rejects.toMatchObject({
        code: 'ABORTED',
        message: expect.stringContaining('cannot add 13'),
      })
    })

    it('a letter of a view is not redriven: the mended view is built again, and the letter discarded', async () => {
      const { store, start } = await setUp()
      const last = await store.appendToStream('a', [added(1), added(13)])
      const view = start({ poison: 'deadLetter' })
      await view.waitFor(last)
      const { settled, refused } = await redriveDeadLetters(store, TOPIC, { by: 'test' })
      expect(settled).toEqual([])
      expect(refused.map(({ reason }) => reason)).toEqual([expect.stringContaining('of the view "sums"')])
      await view.stop()
      const mended = start({ poison: 'deadLetter' }, { cannot: 0 })
      await mended.rebuild()
      expect(await mended.get('a')).toBe(14)
      await discardDeadLetters(store, TOPIC, { by: 'test', reason: 'mended' })
      expect(await listDeadLetters(store, TOPIC)).toEqual([])
    })

    it('stop: what came before is applied, it says why, and the next one goes on from there', async () => {
      const { store, start } = await setUp()
      const last = await store.appendToStream('a', [added(1), added(13), added(2)])
      const stopping = start({ poison: 'stop' })
      expect(await stopping.stopped).toMatch(/cannot take in: .*cannot add 13/)
      expect(await stopping.get('a')).toBe(1)
      expect(await start({}, { cannot: 0 }).get('a', { after: last })).toBe(16)
      const orderly = start({})
      await orderly.stop()
      expect(await orderly.stopped).toBeUndefined()
    })

    it.each([
      ['an async evolve', async () => 1, 'row is a Promise, which JSON cannot carry: evolve must not be async'],
      ['a BigInt in a row', () => ({ n: 1n }), 'row.n is a BigInt'],
      ['a row that is a function', () => () => 1, 'row is a function'],
      ['a row with a cycle', () => cyclic(), 'a cycle'],
      ['a Map in a row', () => [new Map()], 'row[0] is a Map'],
    ])('%s is poison: its policy applies, what is around it goes on', async (_, answer, reason) => {
      const { store, start } = await setUp()
      const evolve = (sum: number, { data: { n } }: Added) =>
        n === 13 ? (answer() as unknown as number) : sum + (n || 0)
      const projection = defineProjection<number, Added>({
        name: 'sums',
        key: (event) => (event.type === 'Added' ? event.key : undefined),
        initialState: () => 0,
        evolve,
      })
      const last = await store.appendToStream('a', [added(1), added(13), added(2)])
      const errors: string[] = []
      const onError = (error: unknown) => void errors.push((error as Error).message)
      const waiting = start({ onError }, { projection })
      await until(() => errors.length > 1)
      expect(errors[0]).toContain(reason)
      expect(await waiting.get('a')).toBe(1)
      await waiting.stop()
      expect(await start({ poison: 'deadLetter' }, { projection }).get('a', { after: last })).toBe(3)
      expect(await listDeadLetters(store, TOPIC)).toMatchObject([
        { reason: expect.stringContaining(reason), streamPosition: 2 },
      ])
    })

    it('an unknown type and a newer version: waited for by default, or what `unreadable` says', async () => {
      const { url, store, skipped, start } = await setUp()
      const newer = { ...added(7), version: 2 }
      const unknown = { type: 'Renamed', data: { to: 'b' } } as unknown as NewEvent<Added>
      await store.appendToStream('a', [added(1), newer, unknown])
      const last = await store.appendToStream('a', [added(2)])
      const definition = defineEvent({ name: 'Added', data: z.object({ n: z.number() }) })
      const reading = (await bench.open(url, defineCatalogue([definition, ...deadLetterEvents]))) as typeof store
      const waiting = start({}, { on: reading })
      await until(async () => (await waiting.get('a')) === 1 && (await waiting.status()).lagSeconds > 0)
      await waiting.stop()
      const stopping = start({ unreadable: 'stop' }, { on: reading })
      expect(await stopping.stopped).toMatch(/version 2/)
      const going = start({ unreadable: 'deadLetter' }, { on: reading })
      await going.waitFor(last)
      expect(await going.get('a')).toBe(3)
      const letters = await listDeadLetters(store, TOPIC)
      expect(letters.map(({ error, streamPosition }) => [error, streamPosition])).toEqual([
        ['EVENT_VERSION_NEWER', 2],
        ['UNKNOWN_EVENT_TYPE', 3],
      ])
      expect(skipped.slice(0, 2)).toEqual(['Added 7', 'Renamed '])
      await going.stop()
      const skipping = start({ poison: 'skip', unreadable: 'skip' }, { on: reading })
      await skipping.rebuild()
      expect(await skipping.get('a')).toBe(3)
    })

    it('P9 a projection that keeps the event loop from turning is told of; it goes on', async () => {
      const { store, start } = await setUp()
      const errors: unknown[] = []
      const broken = () => {
        throw new Error('the listener is broken')
      }
      const last = await store.appendToStream('a', [added(1), added(2)])
      const slow = { ...sums(13), evolve: (sum: number) => block(150, sum + 1) }
      const view = start({ blockedAfterMs: 100, onError: (error) => void errors.push(error) }, { projection: slow })
      expect(await view.get('a', { after: last })).toBe(2)
      expect(errors[0]).toMatchObject({
        code: 'EVENT_LOOP_BLOCKED',
        message: expect.stringMatching(/^Projection "sums", for \d messages before offset \d+ of .*, took \d+ ms/),
      })
      await view.stop()
      const deaf = start({ blockedAfterMs: 100, onError: broken }, { projection: slow })
      await deaf.rebuild()
      expect(await deaf.get('a')).toBe(2)
    })
  })
}
