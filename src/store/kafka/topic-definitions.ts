import type { NewTopic } from '../../kafka/driver.ts'
import {
  BLOB_TOPIC_CONFIG,
  EVENT_TOPIC_CONFIG,
  PRESENCE_TOPIC_CONFIG,
  SNAPSHOT_TOPIC_CONFIG,
} from '../../kafka/topics.ts'
import type { StoreOptions } from '../store-options.ts'
import { type TopicLayout, topicLayout } from '../topic-layout.ts'
import { DEFAULT_EVENT_TOPIC } from '../topics.ts'
import type { KafkaConnection } from './connection.ts'
import { BLOB_TOPIC, type Names, PRESENCE_TOPIC, SNAPSHOT_TOPIC } from './names.ts'

/*
 * The one definition of a log's topics: what a store makes, what `duolog topics` plans, applies and checks.
 */

/** What a topic is for, which decides what may be done to it. */
export type TopicRole = 'events' | 'messages' | 'presence' | 'snapshots' | 'blobs'

export interface DefinedTopic extends NewTopic {
  readonly role: TopicRole
  readonly config: Readonly<Record<string, string>>
}

export interface TopicDefinitions {
  /** By the name a program uses; a topic nobody defined has the default. */
  of(topic: string): DefinedTopic
  /** What a store needs when it opens. */
  readonly required: readonly DefinedTopic[]
  /** Those, and what is made when it is first used. */
  readonly all: readonly DefinedTopic[]
}

const OWN: Readonly<Record<string, { readonly role: TopicRole; readonly partitions: number }>> = {
  [PRESENCE_TOPIC]: { role: 'presence', partitions: 1 },
  [SNAPSHOT_TOPIC]: { role: 'snapshots', partitions: 6 },
  [BLOB_TOPIC]: { role: 'blobs', partitions: 3 },
}

/** As it was written, whatever the broker's own choice is: every reader can read it. */
const AS_WRITTEN = { 'compression.type': 'producer' }

const CONFIGS: Readonly<Record<TopicRole, Readonly<Record<string, string>>>> = {
  events: EVENT_TOPIC_CONFIG,
  messages: { 'cleanup.policy': 'delete' },
  presence: PRESENCE_TOPIC_CONFIG,
  snapshots: SNAPSHOT_TOPIC_CONFIG,
  blobs: BLOB_TOPIC_CONFIG,
}

/** With so many replicas one may be away while two have every record. */
const REPLICAS_FOR_TWO_IN_SYNC = 3

/** The options win over the URL. */
export function layoutOf({ eventPartitions }: KafkaConnection, options: StoreOptions): TopicLayout {
  if (eventPartitions === undefined) return topicLayout(options)
  const events = { [options.eventTopic ?? DEFAULT_EVENT_TOPIC]: { partitions: eventPartitions } }
  return topicLayout({ ...options, topics: { ...events, ...options.topics } })
}

export function topicDefinitions(
  layout: TopicLayout,
  names: Names,
  replicationFactor: number | undefined,
): TopicDefinitions {
  const durable = (replicationFactor ?? 0) >= REPLICAS_FOR_TWO_IN_SYNC ? { 'min.insync.replicas': '2' } : {}
  const of = (topic: string): DefinedTopic => {
    const role = OWN[topic]?.role ?? (topic === layout.eventTopic ? 'events' : 'messages')
    return {
      topic: names.physical(topic),
      partitions: OWN[topic]?.partitions ?? layout.partitionCountOf(topic),
      ...(replicationFactor !== undefined && { replicationFactor }),
      role,
      config: { ...CONFIGS[role], ...AS_WRITTEN, ...durable },
    }
  }
  const required = [...layout.defined.keys(), PRESENCE_TOPIC].map(of)
  return { of, required, all: [...required, of(SNAPSHOT_TOPIC), of(BLOB_TOPIC)] }
}
