import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { silentLogger } from '../../src/core/logger.ts'
import { connectDriver } from '../../src/kafka/connect-driver.ts'
import { brokerLibraries } from '../../test/support/broker-libraries.ts'
import { median, progress, type Result, round } from '../report.ts'
import { appendLoad } from './load.ts'
import { openWith } from './open.ts'
import type { PartTask } from './plan.ts'

/*
 * Appends of 2,000 callers beside Java's own ProducerPerformance, transactional, a commit every 20 ms, on
 * the same broker in turns. Java checks no version and no key there, and its records have no headers: ours carry about
 * 500 bytes of them.
 */

const ROUNDS = 2
const CALLERS = 2000
const APPENDS = 20_000
const JAVA_RECORDS = 100_000
/** Of `--quick`. */
const SHARE = 0.2
const execute = promisify(execFile)

export async function measure({ brokers, driver: driverName, dataBytes, quick }: PartTask): Promise<readonly Result[]> {
  const topic = `java-${randomUUID()}`
  const driver = await connectDriver(driverName, {
    brokers,
    clientId: 'bench',
    logger: silentLogger,
    connectTimeoutMs: 10_000,
  })
  await driver.createTopics([{ topic, partitions: 1 }])
  await driver.close()
  const store = await openWith(brokers, 1, { driver: driverName })
  const [rounds, share] = quick ? [1, SHARE] : [ROUNDS, 1]
  const [ours, java]: [number[], number[]] = [[], []]
  for (let number = 0; number <= rounds; number++) {
    progress(`  round ${number} of ${rounds}`)
    const { perSecond } = await appendLoad(store, { callers: CALLERS, appends: APPENDS * share, dataBytes })
    const theirs = await producerPerformance({ brokers, topic, dataBytes, records: JAVA_RECORDS * share })
    if (number > 0) ours.push(perSecond) // round 0 warms up
    if (number > 0) java.push(theirs)
  }
  await store.close()
  const ratio = median(ours) / median(java)
  const against = `Java ProducerPerformance, transactional, ${round(median(java))} records/s`
  const name = `${CALLERS} callers, 1 partition`
  return [
    { name, value: round(median(ours)), unit: 'appends/s', against: 'nothing' },
    { name, value: round(ratio), unit: '×', goal: '>= 2 × Java', met: ratio >= 2, against },
  ]
}

interface JavaLoad {
  readonly brokers: readonly string[]
  readonly topic: string
  readonly dataBytes: number
  readonly records: number
}

async function producerPerformance({ brokers, topic, dataBytes, records }: JavaLoad): Promise<number> {
  const program = ['-Xmx512m', '-cp', join(await brokerLibraries(), '*'), 'org.apache.kafka.tools.ProducerPerformance']
  const load = ['--topic', topic, '--num-records', String(records), '--record-size', String(dataBytes)]
  const transactions = ['--transactional-id', `bench-${randomUUID()}`, '--transaction-duration-ms', '20']
  const producer = ['--throughput', '-1', '--producer-props', `bootstrap.servers=${brokers.join(',')}`, 'acks=all']
  const { stdout } = await execute('java', [...program, ...load, ...transactions, ...producer])
  const found = /([\d.]+) records\/sec.*\n*$/.exec(stdout.trim().split('\n').at(-1) ?? '')
  if (found === null) throw new Error(`ProducerPerformance said nothing that can be read: ${stdout.slice(-500)}`)
  return Number(found[1])
}
