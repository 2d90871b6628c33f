import { partitionOf } from '../core/murmur2.ts'
import type { StoreOptions } from './store-options.ts'
import { DEFAULT_EVENT_TOPIC, defaultTopics, type TopicDefinition, UNDEFINED_TOPIC } from './topics.ts'

/** Which topics there are and in which partition of a topic a key lives. The same in every backing. */
export interface TopicLayout {
  readonly eventTopic: string
  /** Every topic defined by default or by the options, and the event topic. */
  readonly defined: ReadonlyMap<string, TopicDefinition>
  partitionCountOf(topic: string): number
  /** `murmur2` of the key's UTF-8 bytes, as every Java client computes it. */
  partitionOf(topic: string, key: string): number
}

const utf8 = new TextEncoder()

export function topicLayout(options: Pick<StoreOptions, 'eventTopic' | 'topics'> = {}): TopicLayout {
  const eventTopic = options.eventTopic ?? DEFAULT_EVENT_TOPIC
  const defined = new Map<string, TopicDefinition>(Object.entries({ ...defaultTopics, ...options.topics }))
  if (!defined.has(eventTopic)) defined.set(eventTopic, defaultTopics[DEFAULT_EVENT_TOPIC])
  const partitionCountOf = (topic: string) => (defined.get(topic) ?? UNDEFINED_TOPIC).partitions
  return {
    eventTopic,
    defined,
    partitionCountOf,
    partitionOf: (topic, key) => partitionOf(utf8.encode(key), partitionCountOf(topic)),
  }
}
