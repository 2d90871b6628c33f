import { describe, expect, it } from 'vitest'
import type { BlobStore } from '../../src/store/blobs.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { subscribe } from '../../src/store/subscribe.ts'
import { withLargeEvents } from '../../src/store/with-large-events.ts'

/*
 * Data too large for a log, on every backing. `open` gives the backing itself, without the claim check.
 */

export interface LargeLog {
  open(): Promise<EventStore>
}

const MEGABYTE = 1024 * 1024

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

function ownBlobs(store: EventStore): BlobStore {
  if (store.blobs === undefined) throw new Error('the backing has no blobs')
  return store.blobs
}

export function largeEventSuite(name: string, log: () => LargeLog): void {
  describe(`large events on ${name}`, () => {
    it('G1 G2 20 MB come back as they were written, to readers, folds, consumers and subscriptions', async () => {
      const backing = await log().open()
      const store = withLargeEvents(backing, ownBlobs(backing))
      const output = 'Zeile für Zeile 🦉\n'.repeat(MEGABYTE)
      expect(Buffer.byteLength(output)).toBeGreaterThan(20 * MEGABYTE)
      const headers = { tenant: 'a' }
      const task = {
        topic: 'agent.tasks.worker',
        key: 'large-1',
        type: 'Do',
        data: { output: output.slice(0, MEGABYTE) },
      }
      await store.appendToStream(
        'large-1',
        [
          { type: 'Small', data: 1 },
          { type: 'Done', data: { output }, headers },
        ],
        {
          outgoing: [task],
        },
      )
      const [, read] = await all(store.readStream('large-1'))
      expect(read?.data).toEqual({ output })
      expect(read?.headers).toEqual(headers)
      const count = (length: number, { data }: { data: unknown }) =>
        length + ((data as { output?: string }).output?.length ?? 0)
      const folded = await store.aggregateStream('large-1', { initialState: () => 0, evolve: count })
      expect(folded).toMatchObject({ state: output.length, currentStreamVersion: 2 })
      const live = subscribe(store, { category: 'large', types: ['Done'] })
      expect((await live.next()).value.data).toEqual({ output })
      await live.close()
      const consumed = Promise.withResolvers<unknown>()
      const consumer = store.consume({
        group: 'large',
        topics: ['agent.tasks.worker'],
        handler: async ({ data }) => consumed.resolve(data),
      })
      expect(await consumed.promise).toEqual(task.data)
      await consumer.stop()
      // What is in the log itself is small, and says what it stands for.
      const [, stored] = await all(backing.readStream('large-1'))
      expect(JSON.stringify(stored).length).toBeLessThan(2000)
      expect(stored?.data).toMatchObject({
        preview: expect.stringMatching(/^\{"output":"Zeile/),
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      })
      await backing.close()
    })

    it('events that are no list are refused as such, also with a large message beside them', async () => {
      const backing = await log().open()
      const store = withLargeEvents(backing, ownBlobs(backing))
      const large = { topic: 'agent.tasks.worker', key: 'k', type: 'Do', data: 'x'.repeat(MEGABYTE) }
      const appended = store.appendToStream('refused', { type: 'A', data: 1 } as never, { outgoing: [large] })
      await expect(appended).rejects.toThrow(/events must be a list/)
      await store.close()
    })

    it('a blob that is missing or damaged is an error of that event only; the others are read on', async () => {
      const backing = await log().open()
      const own = ownBlobs(backing)
      const limited = withLargeEvents(backing, own, { limitBytes: 100 })
      const large = (n: number) => ({ type: 'Large', data: { n, text: `${n}`.repeat(200) } })
      await limited.appendToStream('lost-1', [large(1), { type: 'Small', data: 2 }, large(3)])
      const lost: BlobStore = { put: own.put.bind(own), get: async () => undefined }
      const damaged: BlobStore = { put: own.put.bind(own), get: async () => Buffer.from('{"n":1}') }
      for (const [blobs, code] of [
        [lost, 'BLOB_MISSING'],
        [damaged, 'BLOB_CORRUPT'],
      ] as const) {
        const store = withLargeEvents(backing, blobs)
        const message = expect.stringContaining('Event 1 of stream "lost-1"')
        await expect(all(store.readStream('lost-1'))).rejects.toMatchObject({ code, message })
        expect((await all(store.readStream('lost-1', { from: 2, to: 2 }))).map(({ data }) => data)).toEqual([2])
        const unreadable: unknown[] = []
        const end = new AbortController()
        const live = subscribe(store, {
          category: 'lost',
          unreadable: (error) => void unreadable.push((error as { code: string }).code),
          onCaughtUp: () => end.abort(),
          signal: end.signal,
        })
        expect((await all(live)).map(({ data }) => data)).toEqual([2])
        expect(unreadable).toEqual([code, code])
      }
      await backing.close()
    })

    it('an append that is refused, or never made, leaves at most a blob nobody points to; again is once', async () => {
      const backing = await log().open()
      const store = withLargeEvents(backing, ownBlobs(backing), { limitBytes: 100 })
      const event = { type: 'Large', data: { text: 'x'.repeat(500) } }
      const refused = store.appendToStream('orphan-1', [event], { expectedStreamVersion: 7 })
      await expect(refused).rejects.toMatchObject({ code: 'EXPECTED_VERSION_CONFLICT' })
      expect(await all(store.readStream('orphan-1'))).toEqual([])
      for (const repeated of [false, true]) {
        expect(await store.appendToStream('orphan-1', [event], { idempotencyKey: 'k' })).toMatchObject({ repeated })
      }
      expect((await all(store.readStream('orphan-1'))).map(({ data }) => data)).toEqual([event.data])
      await backing.close()
    })
  })
}
