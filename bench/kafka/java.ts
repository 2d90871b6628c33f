import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { silentLogger } from '../../src/core/logger.ts'
import { connectKafkajs } from '../../src/kafka/drivers/kafkajs.ts'
import { startBroker } from '../../test/support/broker.ts'
import { brokerLibraries } from '../../test/support/broker-libraries.ts'
import { median, progress, type Result, round } from '../report.ts'
import { appendLoad } from './load.ts'
import { openWith } from './open.ts'

/*
 * npm run bench -- kafka-java: appends of 2,000 callers beside Java's own ProducerPerformance, transactional, a commit every 20 ms, on
 * the same broker in turns. Java checks no version and no key there, and its records have no headers: ours carry about
 * 500 bytes of them.
 */

const ROUNDS = 2
const CALLERS = 2000
const APPENDS = 20_000
const JAVA_RECORDS = 100_000
const SIZES = [1000, 300] as const
const execute = promisify(execFile)

export async function run(): Promise<readonly Result[]> {
  const broker = await startBroker()
  try {
    const results: Result[] = []
    for (const dataBytes of SIZES) results.push(await measure(broker.address, dataBytes))
    return results
  } finally {
    await broker.stop()
  }
}

async function measure(brokers: string, dataBytes: number): Promise<Result> {
  const topic = `java-${randomUUID()}`
  const driver = await connectKafkajs({
    brokers: brokers.split(','),
    clientId: 'bench',
    logger: silentLogger,
    connectTimeoutMs: 10_000,
  })
  await driver.createTopics([{ topic, partitions: 1 }])
  await driver.close()
  const store = await openWith(brokers.split(','), 1)
  const [ours, java]: [number[], number[]] = [[], []]
  for (let number = 0; number <= ROUNDS; number++) {
    progress(`java, ${dataBytes} bytes, round ${number} of ${ROUNDS}`)
    const { perSecond } = await appendLoad(store, { callers: CALLERS, appends: APPENDS, dataBytes })
    const theirs = await producerPerformance(brokers, topic, dataBytes)
    if (number > 0) ours.push(perSecond) // round 0 warms up
    if (number > 0) java.push(theirs)
  }
  await store.close()
  const ratio = median(ours) / median(java)
  return {
    name: `${CALLERS} callers, 1 partition, ${dataBytes} bytes: ${round(median(ours))} appends/s`,
    value: round(ratio),
    unit: '×',
    goal: '>= 2 × Java',
    met: ratio >= 2,
    against: `Java ProducerPerformance, transactional, ${round(median(java))} records/s`,
  }
}

async function producerPerformance(brokers: string, topic: string, dataBytes: number): Promise<number> {
  const program = ['-Xmx512m', '-cp', join(await brokerLibraries(), '*'), 'org.apache.kafka.tools.ProducerPerformance']
  const load = ['--topic', topic, '--num-records', String(JAVA_RECORDS), '--record-size', String(dataBytes)]
  const transactions = ['--transactional-id', `bench-${randomUUID()}`, '--transaction-duration-ms', '20']
  const producer = ['--throughput', '-1', '--producer-props', `bootstrap.servers=${brokers}`, 'acks=all']
  const { stdout } = await execute('java', [...program, ...load, ...transactions, ...producer])
  const found = /([\d.]+) records\/sec.*\n*$/.exec(stdout.trim().split('\n').at(-1) ?? '')
  if (found === null) throw new Error(`ProducerPerformance said nothing that can be read: ${stdout.slice(-500)}`)
  return Number(found[1])
}
