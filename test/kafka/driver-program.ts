import { setTimeout as sleep } from 'node:timers/promises'
import { isDuologError } from '../../src/core/errors.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { connectDriver, type KafkaDriverName } from '../../src/kafka/connect-driver.ts'

/** Uses every part of a driver (DRIVER BROKERS PREFIX), closes them, and must then end by itself: no process.exit. */
async function main(): Promise<void> {
  const [driverName = '', brokers = '', prefix = ''] = process.argv.slice(2)
  const options = { brokers: brokers.split(','), clientId: 'program', logger: silentLogger, connectTimeoutMs: 2000 }
  const driver = await connectDriver(driverName as KafkaDriverName, options)
  const topic = `${prefix}topic`
  await driver.createTopics([{ topic, partitions: 2 }])
  const reader = driver.openReader()
  const writer = driver.openWriter({ transactionalId: `${prefix}id`, transactionTimeoutMs: 5000 })
  const member = driver.openMember({
    group: `${prefix}group`,
    topics: [topic],
    sessionTimeoutMs: 6000,
    rebalanceTimeoutMs: 5000,
    onAssigned: () => {},
    onRevoked: async () => {},
  })
  await Promise.all([writer.init(), member.joined])
  const record = { topic, partition: 0, key: null, value: Buffer.from('x'), headers: {} }
  await writer.transact({ records: [record], offsets: [] })
  await driver.produce([record])
  const fetching = reader.fetch([{ topic, partition: 1, offset: 0 }], { maxWaitMs: 2000 }).catch(() => [])
  await sleep(1500) // the member beats, the fetch waits
  await Promise.all([member.leave(), writer.close(), reader.close()])
  await driver.close()
  await fetching
}

main().catch((error: unknown) => {
  process.exitCode = isDuologError(error, 'BROKER_UNREACHABLE') ? 3 : 1
  if (process.exitCode === 1) process.stderr.write(`${String(error)}\n`)
})
