import { randomUUID } from 'node:crypto'
import { silentLogger } from '../../src/core/logger.ts'
import { connectDriver } from '../../src/kafka/connect-driver.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { median, progress, type Result, round } from '../report.ts'
import { appendLoad, type Measured } from './load.ts'
import { openWith } from './open.ts'
import type { PartTask } from './plan.ts'
import { plainBatches, type RawTarget, transactionPerAppend } from './raw.ts'

/*
 * Appends to the kafka: store against the same driver without it; rounds take turns, medians count.
 */

const ROUNDS = 2
const CALLERS = [1, 50, 500, 2000] as const
const APPENDS = { 1: 300, 50: 5_000, 500: 15_000, 2000: 20_000 } as const

export async function measure({ brokers, driver: name, dataBytes, quick }: PartTask): Promise<readonly Result[]> {
  const driver = await connectDriver(name, {
    brokers,
    clientId: 'bench',
    logger: silentLogger,
    connectTimeoutMs: 10_000,
  })
  const raw: RawTarget = { driver, topic: `raw-${randomUUID()}`, dataBytes }
  await driver.createTopics([{ topic: raw.topic, partitions: 1 }])
  const stores = { 1: await openWith(brokers, 1, { driver: name }), 6: await openWith(brokers, 6, { driver: name }) }
  const results = await measureAppends(stores, raw, quick)
  await Promise.all([stores[1].close(), stores[6].close(), driver.close()])
  return results
}

type Stores = Readonly<Record<1 | 6, EventStore>>

/** What was measured, per name one value a round. */
interface Rounds {
  readonly alone: number[]
  readonly plain: number[]
  readonly ours: Map<string, Measured[]>
}

async function measureAppends(stores: Stores, raw: RawTarget, quick: boolean): Promise<Result[]> {
  const rounds = newRounds()
  const count = quick ? 1 : ROUNDS
  // Round 0 warms up and does not count.
  for (let number = 0; number <= count; number++) {
    progress(`  round ${number} of ${count}`)
    await measureRound(stores, raw, { share: quick ? 0.2 : 1, ...(number === 0 ? newRounds() : rounds) })
  }
  return [...rounds.ours].flatMap(([name, ours]) =>
    appendResults(name, ours, median(rounds.alone), median(rounds.plain)),
  )
}

function newRounds(): Rounds {
  return { alone: [], plain: [], ours: new Map() }
}

async function measureRound(stores: Stores, raw: RawTarget, round: Rounds & { readonly share: number }) {
  const { alone, plain, ours, share } = round
  alone.push(await transactionPerAppend(raw, 200))
  plain.push(await plainBatches(raw, { batches: 40, size: 500 }))
  for (const partitions of [1, 6] as const) {
    for (const callers of CALLERS) {
      const load = { callers, appends: APPENDS[callers] * share, dataBytes: raw.dataBytes }
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
