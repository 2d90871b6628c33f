import type {
  DriverRecord,
  NewTopic,
  PartitionEnd,
  TopicConfigEntry,
  TopicDescription,
  TopicPartition,
} from '../driver.ts'
import { groupBy } from '../group-by.ts'
import { type Asked, nameDenied } from './access-denied.ts'
import { leaderOf, listedOffset, type RequestCluster, toKafkaError, typeOf } from './kafkajs-internals.ts'
import { toTopicData } from './kafkajs-writer.ts'

/*
 * What is asked of the cluster beside reading and writing in transactions. Each request is tried a few times: after a
 * lost connection, and while a new topic finds its leaders.
 */

const TOPIC_RESOURCE = 2
const OWN_CONFIG = 1
const CREATE_TIMEOUT_MS = 10_000
const PRODUCE_TIMEOUT_MS = 10_000
const BROKER_DEFAULT = -1
const ATTEMPTS = 5
const RETRY_PAUSE_MS = 100

type TopicSize = Pick<TopicDescription, 'partitions' | 'replicationFactor'>
const NO_TOPIC: TopicSize = { partitions: 0, replicationFactor: 0 }

export class KafkajsAdmin {
  readonly #cluster: RequestCluster
  #topics: ReadonlySet<string> = new Set()

  constructor(cluster: RequestCluster) {
    this.#cluster = cluster
  }

  /** Names are looked up one by one: a cluster answers a request that names a missing topic with nothing but an error. */
  async describe(topics: readonly string[]): Promise<readonly TopicDescription[]> {
    const sizes = await Promise.all(
      topics.map((topic) => this.#persist({ topics: [topic] }, () => this.#sizeOf(topic))),
    )
    const existing = topics.map((topic, index) => ({ topic, ...(sizes[index] ?? NO_TOPIC) }))
    const found = existing.filter(({ partitions }) => partitions > 0)
    const configs = await this.#configs(found.map(({ topic }) => topic))
    return found.map((size) => {
      const config = configs.get(size.topic) ?? new Map<string, TopicConfigEntry>()
      return {
        ...size,
        cleanupPolicy: config.get('cleanup.policy')?.value ?? 'delete',
        retentionMs: Number(config.get('retention.ms')?.value ?? -1),
        config,
      }
    })
  }

  /** Kafka replaces all configs of a topic at once in this request, so those it has are sent along. */
  async alterConfig(topic: string, config: Readonly<Record<string, string>>): Promise<void> {
    const current = (await this.#configs([topic])).get(topic) ?? new Map<string, TopicConfigEntry>()
    const own = [...current].filter(([, entry]) => entry.own).map(([name, { value }]) => [name, value] as const)
    const configEntries = [...new Map([...own, ...Object.entries(config)])].map(([name, value]) => ({ name, value }))
    await this.#persist({ topics: [topic], topicOperations: 'AlterConfigs' }, async () =>
      (await this.#cluster.findControllerBroker()).alterConfigs({
        resources: [{ type: TOPIC_RESOURCE, name: topic, configEntries }],
      }),
    )
  }

  async addPartitions(topic: string, count: number): Promise<void> {
    await this.#persist({ topics: [topic], topicOperations: 'Alter' }, async () =>
      (await this.#cluster.findControllerBroker()).createPartitions({
        topicPartitions: [{ topic, count }],
        timeout: CREATE_TIMEOUT_MS,
      }),
    )
  }

  async create(topics: readonly NewTopic[]): Promise<void> {
    if (topics.length === 0) return
    const requests = topics.map(({ topic, partitions, replicationFactor = BROKER_DEFAULT, config = {} }) => ({
      topic,
      numPartitions: partitions,
      replicationFactor,
      configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
    }))
    // One by one, so that one that exists already takes nothing from the others.
    await Promise.all(
      requests.map((request) =>
        this.#persist({ topics: [request.topic], topicOperations: 'Create' }, () => this.#create(request)),
      ),
    )
  }

  async offsetOf(place: TopicPartition, end: PartitionEnd): Promise<number> {
    return this.#persist({ topics: [place.topic] }, async () => {
      await this.#know([place.topic])
      return listedOffset(this.#cluster, place, end)
    })
  }

  async produce(records: readonly DriverRecord[]): Promise<void> {
    const topics = records.map(({ topic }) => topic)
    await this.#persist({ topics, topicOperations: 'Write and Describe' }, async () => {
      await this.#know(topics)
      const byLeader = groupBy(records, ({ topic, partition }) => String(leaderOf(this.#cluster, topic, partition)))
      const sent = [...byLeader].map(async ([nodeId, group]) => {
        const broker = await this.#cluster.findBroker({ nodeId })
        return broker.produce({ topicData: toTopicData(group), acks: -1, timeout: PRODUCE_TIMEOUT_MS })
      })
      await Promise.all(sent)
    })
  }

  async partitionsOf(topic: string): Promise<number> {
    return (await this.#persist({ topics: [topic] }, () => this.#sizeOf(topic))).partitions
  }

  async #sizeOf(topic: string): Promise<TopicSize> {
    try {
      const broker = await this.#cluster.findControllerBroker()
      const { topicMetadata } = await broker.metadata([topic])
      const partitions = topicMetadata[0]?.partitionMetadata ?? []
      return { partitions: partitions.length, replicationFactor: partitions[0]?.replicas.length ?? 0 }
    } catch (error) {
      if (typeOf(error) === 'UNKNOWN_TOPIC_OR_PARTITION') return NO_TOPIC
      throw error
    }
  }

  async #create(
    request: Parameters<Awaited<ReturnType<RequestCluster['findControllerBroker']>>['createTopics']>[0]['topics'][0],
  ) {
    const broker = await this.#cluster.findControllerBroker()
    try {
      await broker.createTopics({ topics: [request], timeout: CREATE_TIMEOUT_MS })
    } catch (error) {
      if (!existsAlready(error)) throw error
    }
  }

  async #configs(topics: readonly string[]): Promise<ReadonlyMap<string, ReadonlyMap<string, TopicConfigEntry>>> {
    if (topics.length === 0) return new Map()
    const resources = topics.map((name) => ({ type: TOPIC_RESOURCE, name }) as const)
    const described = await this.#persist({ topics, topicOperations: 'DescribeConfigs' }, async () =>
      (await this.#cluster.findControllerBroker()).describeConfigs({ resources }),
    )
    return new Map(
      described.resources.map(({ resourceName, configEntries }) => [
        resourceName,
        new Map(
          configEntries.map(({ configName, configValue, configSource }) => [
            configName,
            { value: configValue ?? '', own: configSource === OWN_CONFIG },
          ]),
        ),
      ]),
    )
  }

  async #know(topics: readonly string[]): Promise<void> {
    const known = new Set([...this.#topics, ...topics])
    if (known.size === this.#topics.size) return
    await this.#cluster.addMultipleTargetTopics([...known])
    this.#topics = known // only now: a topic that was missing is to be asked for again
  }

  async #persist<T>(asked: Asked, request: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await request()
      } catch (error) {
        const known = toKafkaError(error)
        if (known.code !== 'UNAVAILABLE' || attempt === ATTEMPTS) throw nameDenied(known, asked)
        this.#topics = new Set() // what was gone may be there again
        await new Promise((resolve) => setTimeout(resolve, RETRY_PAUSE_MS * attempt))
        await this.#cluster
          .connect()
          .then(() => this.#cluster.refreshMetadata())
          .catch(() => {})
      }
    }
  }
}

function existsAlready(error: unknown): boolean {
  if (typeOf(error) === 'TOPIC_ALREADY_EXISTS') return true
  const errors = error instanceof Error && 'errors' in error && Array.isArray(error.errors) ? error.errors : []
  return errors.length > 0 && errors.every((each) => typeOf(each) === 'TOPIC_ALREADY_EXISTS')
}
