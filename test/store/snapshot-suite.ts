import { describe, expect, it } from 'vitest'
import { type Catalogue, defineCatalogue } from '../../src/core/catalogue.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import type { SnapshotOptions } from '../../src/store/snapshot-store.ts'
import { withCatalogue } from '../../src/store/with-catalogue.ts'

/*
 * What a snapshot saves, counted in events that were read. Run on every backing.
 */

export interface SnapshotLog {
  open(): Promise<EventStore>
}

interface State {
  readonly count: number
}

const summing = {
  initialState: (): State => ({ count: 0 }),
  evolve: ({ count }: State): State => ({ count: count + 1 }),
}

/** A store that counts the events that come out of it. */
export function counting(store: EventStore): { readonly store: EventStore; readonly read: () => number } {
  let count = 0
  const catalogue: Catalogue = defineCatalogue([], { unknownEvents: 'pass' })
  const fromStored: Catalogue['fromStored'] = (event, where) => {
    count++
    return catalogue.fromStored(event, where)
  }
  return { store: withCatalogue(store, { ...catalogue, fromStored }), read: () => count }
}

export function snapshotSuite(name: string, log: () => SnapshotLog): void {
  describe(`snapshots on ${name}`, () => {
    it('10,000 events with a snapshot cost what 10 events cost', async () => {
      const kind: SnapshotOptions<State> = { name: 'count', version: 1, every: 1000 }
      const writer = await log().open()
      const events = Array.from({ length: 1000 }, (_, n) => ({ type: 'Counted', data: { n } }))
      for (let batch = 0; batch < 10; batch++) await writer.appendToStream('long', events)
      await writer.aggregateStream('long', { ...summing, snapshot: kind })
      await writer.snapshots.idle()
      await writer.appendToStream('long', events.slice(0, 9))
      await writer.appendToStream('short', events.slice(0, 10))
      await writer.close()

      const reader = await log().open()
      const long = counting(reader)
      const short = counting(reader)
      const folded = await long.store.aggregateStream('long', { ...summing, snapshot: kind })
      expect(folded).toEqual({ state: { count: 10_009 }, currentStreamVersion: 10_009, streamExists: true })
      await short.store.aggregateStream('short', summing)
      expect(long.read()).toBe(short.read())
      expect(long.read()).toBe(10)
      await reader.close()
    })
  })
}
