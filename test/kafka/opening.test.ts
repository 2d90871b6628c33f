import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { type Logger, silentLogger } from '../../src/core/logger.ts'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { freePort } from '../support/broker-native.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { plainClient } from './log-check.ts'

const brokers = kafkaBrokers.split(',')

async function createTopic(topic: string, numPartitions: number, policy = 'delete'): Promise<void> {
  const admin = plainClient(kafkaBrokers).admin()
  await admin.connect()
  const configEntries = [{ name: 'cleanup.policy', value: policy }]
  await admin.createTopics({
    topics: [{ topic, numPartitions, replicationFactor: 1, configEntries }],
    waitForLeaders: true,
  })
  await admin.disconnect()
}

describe('a broker that cannot be reached', () => {
  it('is a BROKER_UNREACHABLE within 10 s that names the address, where nothing listens', async () => {
    const address = `127.0.0.1:${await freePort()}`
    const started = performance.now()
    const opening = openKafkaStore({ brokers: [address] })
    await expect(opening).rejects.toMatchObject({
      code: 'BROKER_UNREACHABLE',
      message: expect.stringContaining(address),
    })
    expect(performance.now() - started).toBeLessThan(10_000)
  })

  it('is the same where something listens and never answers', async () => {
    const server = createServer(() => {})
    const port = await freePort()
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    try {
      const opening = openKafkaStore({ brokers: [`127.0.0.1:${port}`] })
      await expect(opening).rejects.toMatchObject({
        code: 'BROKER_UNREACHABLE',
        message: expect.stringContaining(`:${port}`),
      })
    } finally {
      server.close()
    }
  })
})

describeKafka('opening a log on a cluster', () => {
  it('creates what is missing with the default partition counts, says so, and a second time finds it', async () => {
    const prefix = uniquePrefix('create')
    const said: string[] = []
    const logger: Logger = { debug() {}, info() {}, warn: (_fields, message) => void said.push(message), error() {} }
    await (await openKafkaStore({ brokers, prefix }, { logger })).close()
    expect(said.join()).toContain(`${prefix}session.events with 6 partitions`)
    expect(said.join()).toContain(`${prefix}monitoring.events with 12 partitions`)
    expect(said).toHaveLength(1)
    await (await openKafkaStore({ brokers, prefix, topics: 'require' }, { logger })).close()
    expect(said).toHaveLength(1)
  })

  it('with topics: require lists what is missing and creates nothing', async () => {
    const prefix = uniquePrefix('require')
    const opening = () => openKafkaStore({ brokers, prefix, topics: 'require' })
    const message = expect.stringMatching(`${prefix}session.events \\(6 partitions\\).*${prefix}duolog.presence`)
    await expect(opening()).rejects.toMatchObject({ code: 'TOPIC_MISSING', message })
    await expect(opening()).rejects.toMatchObject({ code: 'TOPIC_MISSING', message })
  })

  it.each([
    ['too few partitions', 2, 'delete', '2 partitions, 6 are defined'],
    ['more partitions than defined', 12, 'delete', '12 partitions, 6 are defined'],
    ['compaction', 6, 'compact', 'cleanup.policy=compact'],
  ])('refuses an event topic with %s: TOPIC_UNSUITABLE', async (_flaw, partitions, policy, said) => {
    const prefix = uniquePrefix('unsuitable')
    await createTopic(`${prefix}session.events`, partitions, policy)
    const opening = openKafkaStore({ brokers, prefix })
    await expect(opening).rejects.toMatchObject({ code: 'TOPIC_UNSUITABLE', message: expect.stringContaining(said) })
  })

  it('takes as many as are defined, by the URL or by the options', async () => {
    const prefix = uniquePrefix('twelve')
    await createTopic(`${prefix}session.events`, 12)
    const url = `kafka://${kafkaBrokers}/?prefix=${prefix}`
    const byUrl = await openEventStore(`${url}&eventPartitions=12`, { logger: silentLogger })
    await byUrl.appendToStream('s', [{ type: 'A', data: 1 }])
    await byUrl.close()
    const topics = { 'session.events': { partitions: 12 } }
    const byOptions = await openEventStore(`${url}&eventPartitions=3`, { topics, logger: silentLogger })
    expect(await byOptions.waitForVersion('s', 1)).toBe(1)
    expect(await byOptions.partitionEnds('session.events')).toHaveLength(12)
    await byOptions.close()
  })

  it('warns of an event topic that forgets', async () => {
    const prefix = uniquePrefix('forgets')
    await createTopic(`${prefix}session.events`, 6)
    const warned: string[] = []
    const logger: Logger = { debug() {}, info() {}, warn: (_fields, message) => void warned.push(message), error() {} }
    await (await openKafkaStore({ brokers, prefix }, { logger })).close()
    expect(warned).toContainEqual(expect.stringContaining('Set retention.ms=-1'))
  })
})
