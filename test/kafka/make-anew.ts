import { expect } from 'vitest'
import { kafkaBrokers } from '../support/kafka.ts'
import { plainClient } from './log-check.ts'

export async function asAdmin<T>(
  work: (admin: ReturnType<ReturnType<typeof plainClient>['admin']>) => Promise<T>,
): Promise<T> {
  const admin = plainClient(kafkaBrokers).admin()
  await admin.connect()
  try {
    return await work(admin)
  } finally {
    await admin.disconnect()
  }
}

export const FOR_EVER = { 'retention.ms': '-1', 'retention.bytes': '-1' }

/** Deletes the topic and makes one of the same name, with one partition and nothing in it. */
export async function makeAnew(topic: string): Promise<void> {
  await asAdmin(async (admin) => {
    await admin.deleteTopics({ topics: [topic] })
    await expect.poll(() => admin.listTopics(), { timeout: 30_000 }).not.toContain(topic)
    const anew = {
      topic,
      numPartitions: 1,
      replicationFactor: 1,
      configEntries: Object.entries(FOR_EVER).map(([name, value]) => ({ name, value })),
    }
    // Not `waitForLeaders`: that fails where the broker does not know the topic for a moment.
    await admin.createTopics({ topics: [anew], waitForLeaders: false })
    const leaders = async () => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] }).catch(() => ({ topics: [] }))
      return topics[0]?.partitions.map(({ leader }) => leader >= 0)
    }
    await expect.poll(leaders, { timeout: 30_000 }).toEqual([true])
  })
}
