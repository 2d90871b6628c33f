import { type LowCluster, typeOf } from './kafkajs-internals.ts'

/*
 * C4 A topic that cannot be looked up (deleted, denied) is the trouble of those who ask for it. kafkajs keeps every topic it
 *    was ever asked for, asks for all at once, and understands no answer that has an error for one of them: after a topic
 *    was deleted it learns of no new leader any more, of no topic.
 */

const OF_ONE_TOPIC = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'TOPIC_AUTHORIZATION_FAILED', 'INVALID_TOPIC_EXCEPTION'])

/** Of this cluster only: a program's own clients stay as they are. */
export function forgivingMetadata(cluster: LowCluster): LowCluster {
  const { brokerPool } = cluster
  const flaws = new Map<string, unknown>()
  const refresh = brokerPool.refreshMetadata.bind(brokerPool)
  const find = cluster.findTopicPartitionMetadata.bind(cluster)
  brokerPool.refreshMetadata = async (topics) => {
    try {
      await refresh(topics)
      for (const topic of topics) flaws.delete(topic)
    } catch (error) {
      if (topics.length < 2 || !isOfOneTopic(error)) throw error
      const good = await withoutFlawed(cluster, topics, flaws)
      if (good.length === 0 || good.length === topics.length) throw error
      await refresh(good)
      for (const topic of good) flaws.delete(topic)
    }
  }
  cluster.findTopicPartitionMetadata = (topic) => {
    if (flaws.has(topic)) throw flaws.get(topic)
    return find(topic)
  }
  return cluster
}

/** Asked one by one; those that fail are forgotten, until somebody asks for them again. */
async function withoutFlawed(
  { brokerPool, targetTopics }: LowCluster,
  topics: readonly string[],
  flaws: Map<string, unknown>,
) {
  const broker = await brokerPool.findConnectedBroker()
  const good: string[] = []
  for (const topic of topics) {
    try {
      await broker.metadata([topic])
      good.push(topic)
    } catch (error) {
      if (!isOfOneTopic(error)) throw error
      flaws.set(topic, error)
      targetTopics.delete(topic)
    }
  }
  return good
}

function isOfOneTopic(error: unknown): boolean {
  return OF_ONE_TOPIC.has(typeOf(error) ?? '')
}
