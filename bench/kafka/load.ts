import { randomUUID } from 'node:crypto'
import type { EventStore } from '../../src/store/event-store.ts'
import { percentile } from '../report.ts'

/*
 * Many callers append one event each, again and again: what a busy system asks of the store.
 */

export interface Load {
  readonly callers: number
  readonly appends: number
  readonly dataBytes: number
}

export interface Measured {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export function eventOf(dataBytes: number) {
  return { type: 'Measured', data: { filler: 'x'.repeat(dataBytes) } }
}

/** Each caller has a stream of its own and waits for each answer. */
export async function appendLoad(store: EventStore, { callers, appends, dataBytes }: Load): Promise<Measured> {
  const perCaller = Math.max(1, Math.ceil(appends / callers))
  const latencies: number[] = []
  const run = randomUUID()
  const event = eventOf(dataBytes)
  async function call(caller: number): Promise<void> {
    for (let i = 0; i < perCaller; i++) {
      const start = performance.now()
      await store.appendToStream(`${run}-${caller}`, [event], { expectedStreamVersion: i })
      latencies.push(performance.now() - start)
    }
  }
  const start = performance.now()
  await Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)))
  const perSecond = (callers * perCaller * 1000) / (performance.now() - start)
  return { perSecond, p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99) }
}
