import type { Logger } from '../../core/logger.ts'
import { partitionOf } from '../../core/murmur2.ts'
import type { KafkaDriver, NewTopic, TopicDescription } from '../../kafka/driver.ts'
import { checkEventTopic, EVENT_TOPIC_CONFIG, ensureTopics, PRESENCE_TOPIC_CONFIG } from '../../kafka/topics.ts'
import type { StoreOptions } from '../store-options.ts'
import { type TopicLayout, topicLayout } from '../topic-layout.ts'
import type { KafkaConnection } from './connection.ts'
import { type Names, namesOf, PRESENCE_TOPIC } from './names.ts'

/*
 * The topics of a store: what is defined, and how many partitions the cluster really has, which is what places a key.
 */

export interface StoreTopicsOptions {
  readonly driver: KafkaDriver
  readonly connection: KafkaConnection
  readonly options: StoreOptions
  readonly logger: Logger
}

export class StoreTopics {
  readonly names: Names
  readonly eventTopic: string
  readonly #options: StoreTopicsOptions
  readonly #layout: TopicLayout
  /** Partition counts by logical name. */
  readonly #counts = new Map<string, number>()
  readonly #keyBytes = new TextEncoder()

  static async open(options: StoreTopicsOptions): Promise<StoreTopics> {
    const topics = new StoreTopics(options)
    await topics.#ensureDefined()
    return topics
  }

  private constructor(options: StoreTopicsOptions) {
    this.#options = options
    this.#layout = topicLayout(options.options)
    this.eventTopic = this.#layout.eventTopic
    this.names = namesOf(options.connection.prefix ?? '', this.eventTopic)
  }

  get eventPartitions(): readonly number[] {
    return Array.from({ length: this.#counts.get(this.eventTopic) ?? 0 }, (_, partition) => partition)
  }

  /** 0 for a topic this process has not seen yet. */
  partitionCountOf(topic: string): number {
    return this.#counts.get(topic) ?? 0
  }

  partitionOf(topic: string, key: string): number {
    return partitionOf(this.#keyBytes.encode(key), this.#counts.get(topic) ?? 1)
  }

  /** Those topics of the messages that this process has not seen yet. */
  unknownOf(messages: readonly { readonly topic: string }[]): readonly string[] {
    return [...new Set(messages.map(({ topic }) => topic))].filter((topic) => !this.#counts.has(topic))
  }

  async ensure(topics: readonly string[]): Promise<void> {
    const unknown = topics.filter((topic) => !this.#counts.has(topic))
    if (unknown.length > 0) this.#learn(await this.#ensure(unknown.map((topic) => this.#definitionOf(topic))))
  }

  async #ensureDefined(): Promise<void> {
    const { logger } = this.#options
    const defined = [...this.#layout.defined.keys()].map((topic) => this.#definitionOf(topic))
    const presence = { topic: this.names.presenceTopic, partitions: 1, config: PRESENCE_TOPIC_CONFIG }
    const existing = await this.#ensure([...defined, this.#replicated(presence)])
    const events = existing.get(this.names.eventTopic)
    if (events !== undefined) checkEventTopic(events, this.#layout.partitionCountOf(this.eventTopic), logger)
    this.#learn(existing)
  }

  #definitionOf(topic: string): NewTopic {
    const definition = { topic: this.names.physical(topic), partitions: this.#layout.partitionCountOf(topic) }
    const isEvents = topic === this.eventTopic
    return this.#replicated(isEvents ? { ...definition, config: EVENT_TOPIC_CONFIG } : definition)
  }

  #replicated(topic: NewTopic): NewTopic {
    const { replicationFactor } = this.#options.connection
    return replicationFactor === undefined ? topic : { ...topic, replicationFactor }
  }

  #ensure(topics: readonly NewTopic[]): Promise<ReadonlyMap<string, TopicDescription>> {
    const { driver, connection, logger } = this.#options
    return ensureTopics(driver, topics, { mode: connection.topics ?? 'create', logger })
  }

  #learn(existing: ReadonlyMap<string, TopicDescription>): void {
    for (const { topic, partitions } of existing.values()) {
      const name = this.names.logical(topic)
      if (name !== PRESENCE_TOPIC) this.#counts.set(name, partitions)
    }
  }
}
