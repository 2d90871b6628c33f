/*
 * npm run chaos:kafka -- [--minutes 10] [--seed S] [--brokers 1|3] [--only broker,cut,latency,half-open,reset,zombie]
 *                        [--driver kafkajs|platformatic] [--proxy toxiproxy|small] [--streams 60] [--partitions 3] [--rate 200] [--keep] [--json]
 *
 * Four processes append to shared streams while writers are killed every two seconds, brokers die, the network of one
 * of them breaks, and one is frozen for longer than its transaction may last. Then Java's console consumer reads the
 * log, and what it found is held against what the writers were told. Progress and the report in words go to stderr; the
 * last line of stdout is the report as JSON. Exit code 1: a promise is broken; 2: wrong usage, or no such campaign here.
 */
import type { KafkaDriverName } from '../../src/kafka/connect-driver.ts'
import { numberOf, oneOf, scriptOptions, wrongUsage } from '../support/script-options.ts'
import { runCampaign } from './campaign.ts'
import { explain } from './report.ts'
import { FAULT_KINDS, type FaultKind } from './schedule.ts'

function readOptions() {
  const values = scriptOptions(import.meta.filename, {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: Date.now().toString(36) },
    brokers: { type: 'string', default: '1' },
    only: { type: 'string', default: FAULT_KINDS.join() },
    driver: { type: 'string', default: 'kafkajs' },
    proxy: { type: 'string', default: 'toxiproxy' },
    streams: { type: 'string', default: '60' },
    partitions: { type: 'string', default: '3' },
    rate: { type: 'string', default: '200' },
    keep: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  })
  return {
    ...values,
    totalMs: numberOf('minutes', values.minutes) * 60_000,
    brokers: numberOf('brokers', values.brokers),
    streams: numberOf('streams', values.streams),
    partitions: numberOf('partitions', values.partitions),
    perSecond: numberOf('rate', values.rate),
    kinds: values.only.split(',').map(kindOf),
    driver: oneOf<KafkaDriverName>('driver', ['kafkajs', 'platformatic'], values.driver),
    brief: false,
  }
}

function kindOf(text: string): FaultKind {
  const kind = FAULT_KINDS.find((one) => one === text)
  return kind ?? wrongUsage(`--only: must be some of ${FAULT_KINDS.join()}, not ${text}`)
}

async function openNetworkOf(proxy: string) {
  if (proxy === 'toxiproxy') return (await import('./toxic-network.ts')).openToxicNetwork
  if (proxy === 'small') return (await import('./small-network.ts')).openSmallNetwork
  return wrongUsage(`--proxy: must be toxiproxy or small, not ${proxy}`)
}

async function main(): Promise<void> {
  const options = readOptions()
  const say = (text: string) => void (options.json || process.stderr.write(`${text}\n`))
  say(`chaos on Kafka, ${options.brokers} broker(s), ${options.minutes} minutes, seed ${options.seed}`)
  const openNetwork = await openNetworkOf(options.proxy)
  const onProgress = (text: string) => say(`${new Date().toISOString().slice(11, 19)} ${text}`)
  const report = await runCampaign({ ...options, openNetwork, onProgress })
  say(explain(report))
  process.stdout.write(`${JSON.stringify(report)}\n`)
  if (report.violationCount > 0) process.exitCode = 1
}

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  process.exitCode = 2
})
