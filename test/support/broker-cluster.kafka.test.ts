import type { Producer } from 'kafkajs'
import { expect, it } from 'vitest'
import { aliveBrokers, type NativeCluster, startNativeCluster } from './broker-cluster.ts'
import { describeNative } from './kafka.ts'
import { plainKafka } from './plain-kafka.ts'

const TOPIC = 'kept-by-three'

function connected(cluster: NativeCluster) {
  const retry = { initialRetryTime: 50, factor: 0, multiplier: 1, retries: 200 }
  const kafka = plainKafka(cluster.address, { retry })
  return { admin: kafka.admin(), producer: kafka.producer() }
}

async function say(producer: Producer, value: string): Promise<void> {
  await producer.send({ topic: TOPIC, acks: -1, messages: [{ value }] })
}

describeNative('three native brokers', () => {
  it('keep everything three times and accept with two of three, each killed, restarted, frozen and thawed', async () => {
    const cluster = await startNativeCluster({ brokers: 3 })
    const { admin, producer } = connected(cluster)
    try {
      await Promise.all([admin.connect(), producer.connect()])
      await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 1 }] })
      const { topics } = await admin.fetchTopicMetadata({ topics: [TOPIC] })
      expect(topics[0]?.partitions[0]?.replicas).toHaveLength(3)
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: 2, name: TOPIC, configNames: ['min.insync.replicas'] }],
      })
      expect(resources[0]?.configEntries[0]?.configValue).toBe('2')
      const [first, second, third] = cluster.nodes
      await first?.kill()
      await say(producer, 'two are enough')
      await expect.poll(() => aliveBrokers(third?.address ?? '').catch(() => []), { timeout: 60_000 }).toEqual([2, 3])
      await first?.restart()
      await cluster.complete()
      second?.freeze()
      await expect
        .poll(() => aliveBrokers(third?.address ?? '').then((ids) => [...ids].sort()), { timeout: 60_000 })
        .toEqual([1, 3])
      second?.thaw()
      await cluster.complete()
      await say(producer, 'all three again')
    } finally {
      await Promise.allSettled([admin.disconnect(), producer.disconnect()])
      await cluster.stop()
    }
  })
})
