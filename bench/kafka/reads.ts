import { randomUUID } from 'node:crypto'
import type { EventStore } from '../../src/store/event-store.ts'
import { startBroker } from '../../test/support/broker.ts'
import { median, percentile, progress, type Result, round, timed } from '../report.ts'
import { eventOf } from './load.ts'
import { openWith } from './open.ts'

/*
 * Reading: a session among many others, and a process that has to read the whole log first.
 */

const SESSION_EVENTS = 50
const READS = 300
const MANY_EVENTS = 100_000

export async function run(): Promise<readonly Result[]> {
  const broker = await startBroker()
  try {
    return await measureReads(broker.address.split(','))
  } finally {
    await broker.stop()
  }
}

/** One session of many, read by a process that has to read the whole log first (cold), and then again and again. */
export async function measureReads(brokers: readonly string[]): Promise<Result[]> {
  const prefix = `bench-${randomUUID()}.`
  const writer = await openWith(brokers, 1, prefix)
  progress(`reads: writing ${MANY_EVENTS} events`)
  const streams = MANY_EVENTS / SESSION_EVENTS
  const events = Array.from({ length: SESSION_EVENTS }, () => eventOf(300))
  await Promise.all(Array.from({ length: streams }, (_, i) => writer.appendToStream(`s${i}`, events)))
  await writer.close()
  const reader = await openWith(brokers, 1, prefix)
  const coldMs = await timed(() => readAll(reader, 's0'))
  const latencies: number[] = []
  for (let i = 0; i < READS; i++) latencies.push(await timed(() => readAll(reader, `s${(i * 7919) % streams}`)))
  const takeover = await timed(() => reader.appendToStream('s0', [eventOf(300)]))
  await reader.close()
  const cold = (MANY_EVENTS * 1000) / coldMs
  const p99 = percentile(latencies, 0.99)
  const name = `a session of ${SESSION_EVENTS} among ${MANY_EVENTS} events, linearizable`
  return [
    {
      name: 'cold index',
      value: round(cold),
      unit: 'records/s',
      goal: '>= 100,000',
      met: cold >= 100_000,
      against: 'nothing',
    },
    { name: `${name}: p50`, value: round(median(latencies)), unit: 'ms', against: 'nothing' },
    { name: `${name}: p99`, value: round(p99), unit: 'ms', goal: '< 15 ms', met: p99 < 15, against: 'nothing' },
    { name: 'warm takeover and append', value: round(takeover), unit: 'ms', against: 'nothing' },
  ]
}

async function readAll(store: EventStore, stream: string): Promise<void> {
  let count = 0
  for await (const _ of store.readStream(stream)) count++
  if (count < SESSION_EVENTS) throw new Error(`Stream ${stream} has ${count} events, expected ${SESSION_EVENTS}`)
}
