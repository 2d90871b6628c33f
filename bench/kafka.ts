import { randomUUID } from 'node:crypto'
import { silentLogger } from '../src/core/logger.ts'
import { connectKafkajs } from '../src/kafka/drivers/kafkajs.ts'
import type { EventStore } from '../src/store/event-store.ts'
import { openKafkaStore } from '../src/store/kafka/kafka-store.ts'
import { startBroker } from '../test/support/broker.ts'
import { appendLoad, eventOf, type Measured } from './kafka/load.ts'
import { plainBatches, type RawTarget, transactionPerAppend } from './kafka/raw.ts'
import { median, percentile, progress, type Result, round, timed } from './report.ts'

/*
 * The kafka: store against the same driver without it, on one broker in one run: rounds take turns, medians count.
 * Not measured here: several brokers, other machines' networks, several processes on one partition.
 */

const ROUNDS = 3
const DATA_BYTES = 1000
const CALLERS = [1, 50, 500, 2000] as const
const APPENDS = { 1: 300, 50: 5_000, 500: 20_000, 2000: 40_000 } as const
const SESSION_EVENTS = 50
const READS = 300
const MANY_EVENTS = 100_000

export async function run(): Promise<readonly Result[]> {
  const broker = await startBroker()
  try {
    return await measureOn(broker.address.split(','))
  } finally {
    await broker.stop()
  }
}

async function measureOn(brokers: readonly string[]): Promise<readonly Result[]> {
  const driver = await connectKafkajs({ brokers, clientId: 'bench', logger: silentLogger, connectTimeoutMs: 10_000 })
  const raw: RawTarget = { driver, topic: `raw-${randomUUID()}`, dataBytes: DATA_BYTES }
  await driver.createTopics([{ topic: raw.topic, partitions: 1 }])
  const stores = { 1: await openWith(brokers, 1), 6: await openWith(brokers, 6) }
  const results = [...(await measureAppends(stores, raw)), ...(await measureReads(brokers))]
  await Promise.all([stores[1].close(), stores[6].close(), driver.close()])
  return results
}

function openWith(
  brokers: readonly string[],
  partitions: number,
  prefix = `bench-${randomUUID()}.`,
): Promise<EventStore> {
  return openKafkaStore({ brokers, prefix }, { topics: { 'session.events': { partitions } } })
}

/** What was measured, per name one value a round. */
interface Rounds {
  readonly alone: number[]
  readonly plain: number[]
  readonly ours: Map<string, Measured[]>
}

async function measureAppends(stores: Record<1 | 6, EventStore>, raw: RawTarget): Promise<Result[]> {
  const rounds = newRounds()
  // Round 0 warms up and does not count.
  for (let number = 0; number <= ROUNDS; number++) {
    progress(`appends, round ${number} of ${ROUNDS}`)
    await measureRound(stores, raw, number === 0 ? newRounds() : rounds)
  }
  return [...rounds.ours].flatMap(([name, ours]) =>
    appendResults(name, ours, median(rounds.alone), median(rounds.plain)),
  )
}

function newRounds(): Rounds {
  return { alone: [], plain: [], ours: new Map() }
}

async function measureRound(stores: Record<1 | 6, EventStore>, raw: RawTarget, { alone, plain, ours }: Rounds) {
  alone.push(await transactionPerAppend(raw, 200))
  plain.push(await plainBatches(raw, { batches: 40, size: 500 }))
  for (const partitions of [1, 6] as const) {
    for (const callers of CALLERS) {
      const load = { callers, appends: APPENDS[callers], dataBytes: DATA_BYTES }
      const key = `${callers} callers, ${partitions} partition${partitions > 1 ? 's' : ''}`
      ours.set(key, [...(ours.get(key) ?? []), await appendLoad(stores[partitions], load)])
    }
  }
}

function appendResults(name: string, rounds: readonly Measured[], alone: number, plain: number): Result[] {
  const perSecond = median(rounds.map((round) => round.perSecond))
  const ratio = perSecond / alone
  const goal = name.startsWith('1 ') ? {} : { goal: '>= 10 × a transaction per append', met: ratio >= 10 }
  return [
    { name, value: round(perSecond), unit: 'appends/s', against: 'nothing' },
    { name: `${name}: p50`, value: round(median(rounds.map((round) => round.p50Ms))), unit: 'ms', against: 'nothing' },
    { name: `${name}: p99`, value: round(median(rounds.map((round) => round.p99Ms))), unit: 'ms', against: 'nothing' },
    { name, value: round(ratio), unit: '×', ...goal, against: `a transaction per append, ${round(alone)}/s` },
    { name, value: round(perSecond / plain), unit: '×', against: `plain batches of 500, ${round(plain)}/s` },
  ]
}

/** One session of many, read by a process that has to read the whole log first (cold), and then again and again. */
async function measureReads(brokers: readonly string[]): Promise<Result[]> {
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
