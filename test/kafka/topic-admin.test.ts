import { afterAll, beforeAll, expect, it } from 'vitest'
import { silentLogger } from '../../src/core/logger.ts'
import type { KafkaDriver, TopicDescription } from '../../src/kafka/driver.ts'
import { connectKafkajs } from '../../src/kafka/drivers/kafkajs.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'

describeKafka('topics through the driver', () => {
  const topic = `${uniquePrefix('admin')}t`
  let driver: KafkaDriver

  beforeAll(async () => {
    const brokers = kafkaBrokers.split(',')
    driver = await connectKafkajs({ brokers, clientId: 'test', logger: silentLogger, connectTimeoutMs: 5000 })
    await driver.createTopics([
      { topic, partitions: 2, replicationFactor: 1, config: { 'retention.ms': '5000', 'segment.ms': '4000' } },
    ])
  })
  afterAll(() => driver.close())

  /** A change is known to every broker a moment later. */
  async function becomes(told: (topic: TopicDescription) => unknown, wanted: unknown): Promise<void> {
    await expect
      .poll(async () => (await driver.describeTopics([topic])).map(told)[0], { timeout: 10_000 })
      .toEqual(wanted)
  }

  it('says partitions, replicas and configs, and which of them are the own ones of the topic', async () => {
    await becomes(
      ({ partitions, replicationFactor, retentionMs }) => [partitions, replicationFactor, retentionMs],
      [2, 1, 5000],
    )
    await becomes(({ config }) => config.get('segment.ms'), { value: '4000', own: true })
    await becomes(({ config }) => config.get('cleanup.policy'), { value: 'delete', own: false })
  })

  it('changes a config and leaves the others as they are', async () => {
    await driver.alterTopicConfig(topic, { 'retention.ms': '-1', 'cleanup.policy': 'compact' })
    const told = ({ config, cleanupPolicy, retentionMs }: TopicDescription) => [
      cleanupPolicy,
      retentionMs,
      config.get('segment.ms'),
    ]
    await becomes(told, ['compact', -1, { value: '4000', own: true }])
  })

  it('adds partitions; fewer are refused by the broker', async () => {
    await driver.addPartitions(topic, 4)
    await becomes(({ partitions }) => partitions, 4)
    await expect(driver.addPartitions(topic, 3)).rejects.toMatchObject({ code: 'REFUSED' })
  })
})
