import { randomUUID } from 'node:crypto'
import { silentLogger } from '../src/core/logger.ts'
import { connectKafkajs } from '../src/kafka/drivers/kafkajs.ts'
import type { EventStore } from '../src/store/event-store.ts'
import { startBroker } from '../test/support/broker.ts'
import { appendLoad, type Measured } from './kafka/load.ts'
import { openWith } from './kafka/open.ts'
import { plainBatches, type RawTarget, transactionPerAppend } from './kafka/raw.ts'
import { measureReads } from './kafka/reads.ts'
import { median, progress, type Result, round } from './report.ts'

/*
 * The kafka: store against the same driver without it, on one broker in one run: rounds take turns, medians count.
 * Not measured here: several brokers, other machines' networks, several processes on one partition.
 */

const ROUNDS = 3
const DATA_BYTES = 1000
const CALLERS = [1, 50, 500, 2000] as const
const APPENDS = { 1: 300, 50: 5_000, 500: 20_000, 2000: 40_000 } as const

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
