import { randomUUID } from 'node:crypto'
import { silentLogger } from '../src/core/logger.ts'
import { connectDriver, type KafkaDriverName } from '../src/kafka/connect-driver.ts'
import type { EventStore } from '../src/store/event-store.ts'
import { startBroker } from '../test/support/broker.ts'
import { appendLoad, type Measured } from './kafka/load.ts'
import { openWith } from './kafka/open.ts'
import { kafkaBenchOptions } from './kafka/options.ts'
import { plainBatches, type RawTarget, transactionPerAppend } from './kafka/raw.ts'
import { median, progress, type Result, round } from './report.ts'

/*
 * npm run bench -- kafka [--driver platformatic] [--bytes 300]: appends to the kafka: store against the same driver without
 * it, on one broker in one run: rounds take turns, medians count. Its other parts: kafka-sharing, kafka-java, kafka-reads,
 * kafka-snapshots. Not measured: several brokers, other machines' networks.
 */

const ROUNDS = 2
const CALLERS = [1, 50, 500, 2000] as const
const APPENDS = { 1: 300, 50: 5_000, 500: 15_000, 2000: 20_000 } as const

export async function run(): Promise<readonly Result[]> {
  const { driver, dataBytes } = kafkaBenchOptions()
  const broker = await startBroker()
  try {
    return await measureOn(broker.address.split(','), driver, dataBytes)
  } finally {
    await broker.stop()
  }
}

async function measureOn(brokers: readonly string[], name: KafkaDriverName, dataBytes: number) {
  const options = { brokers, clientId: 'bench', logger: silentLogger, connectTimeoutMs: 10_000 }
  const driver = await connectDriver(name, options)
  const raw: RawTarget = { driver, topic: `raw-${randomUUID()}`, dataBytes }
  await driver.createTopics([{ topic: raw.topic, partitions: 1 }])
  const stores = { 1: await openWith(brokers, 1, { driver: name }), 6: await openWith(brokers, 6, { driver: name }) }
  const results = await measureAppends(stores, raw)
  await Promise.all([stores[1].close(), stores[6].close(), driver.close()])
  const label = `${name}, ${dataBytes} bytes`
  return results.map((result) => ({ ...result, name: `${label}, ${result.name}` }))
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
      const load = { callers, appends: APPENDS[callers], dataBytes: raw.dataBytes }
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
