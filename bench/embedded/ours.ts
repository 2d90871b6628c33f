import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { type Contender, EVENT_TYPE, eventData } from './workload.ts'

export interface Ours extends Contender {
  readonly store: EventStore
}

export async function openOurs(path: string): Promise<Ours> {
  const store = await openEventStore(`file:${path}`)
  return {
    name: 'duolog file:',
    store,
    async append(stream, count) {
      await store.appendToStream(
        stream,
        Array.from({ length: count }, () => ({ type: EVENT_TYPE, data: eventData })),
      )
    },
    async read(stream) {
      let count = 0
      for await (const { data } of store.readStream(stream)) if (data !== undefined) count++
      return count
    },
    close: () => store.close(),
  }
}
