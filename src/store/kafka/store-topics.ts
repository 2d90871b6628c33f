import type { Logger } from '../../core/logger.ts'
import { partitionOf } from '../../core/murmur2.ts'
import type { KafkaDriver, NewTopic, TopicDescription } from '../../kafka/driver.ts'
import { checkEventTopic, ensureTopics, warnOfRetention } from '../../kafka/topics.ts'
import type { StoreOptions } from '../store-options.ts'
import type { TopicLayout } from '../topic-layout.ts'
import type { KafkaConnection } from './connection.ts'
import { type Names, namesOf, PRESENCE_TOPIC } from './names.ts'
import { layoutOf, type TopicDefinitions, topicDefinitions } from './topic-definitions.ts'

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
  readonly #definitions: TopicDefinitions
  /** Partition counts by logical name. */
  readonly #counts = new Map<string, number>()
  readonly #asked = new Map<string, Promise<void>>()

  static async open(options: StoreTopicsOptions): Promise<StoreTopics> {
    const topics = new StoreTopics(options)
    await topics.#ensureDefined()
    return topics
  }

  private constructor(options: StoreTopicsOptions) {
    this.#options = options
    this.#layout = layoutOf(options.connection, options.options)
    this.eventTopic = this.#layout.eventTopic
    this.names = namesOf(options.connection.prefix ?? '', this.eventTopic)
    this.#definitions = topicDefinitions(this.#layout, this.names, options.connection.replicationFactor)
  }

  get eventPartitions(): readonly number[] {
    return Array.from({ length: this.#counts.get(this.eventTopic) ?? 0 }, (_, partition) => partition)
  }

  /** 0 for a topic this process has not seen yet. */
  partitionCountOf(topic: string): number {
    return this.#counts.get(topic) ?? 0
  }

  partitionOf(topic: string, key: string): number {
    return partitionOf(Buffer.from(key), this.#counts.get(topic) ?? 1)
  }

  /** Those topics of the messages that this process has not seen yet. */
  unknownOf(messages: readonly { readonly topic: string }[]): readonly string[] {
    return [...new Set(messages.map(({ topic }) => topic))].filter((topic) => !this.#counts.has(topic))
  }

  /** Many may ask for a topic at once: it is looked for, and made, by the first. */
  async ensure(topics: readonly string[]): Promise<void> {
    const unknown = topics.filter((topic) => !this.#counts.has(topic))
    const fresh = unknown.filter((topic) => !this.#asked.has(topic))
    if (fresh.length > 0) this.#ask(fresh)
    await Promise.all(unknown.map((topic) => this.#asked.get(topic)))
  }

  #ask(topics: readonly string[]): void {
    const asked = this.#ensure(topics.map((topic) => this.#definitions.of(topic)))
      .then((existing) => this.#learn(existing))
      .finally(() => {
        for (const topic of topics) this.#asked.delete(topic)
      })
    for (const topic of topics) this.#asked.set(topic, asked)
  }

  /** The event topic is looked at before anything is made: who opens the wrong log leaves no traces in it. */
  async #ensureDefined(): Promise<void> {
    const { driver, logger } = this.#options
    const [found] = await driver.describeTopics([this.names.eventTopic])
    if (found !== undefined) this.#checkEvents(found)
    const existing = await this.#ensure(this.#definitions.required)
    const events = existing.get(this.names.eventTopic)
    if (events !== undefined) warnOfRetention(events, logger)
    this.#learn(existing)
  }

  #checkEvents(found: TopicDescription): void {
    checkEventTopic(found, this.#layout.partitionCountOf(this.eventTopic))
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
