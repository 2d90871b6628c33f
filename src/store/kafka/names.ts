import type { TopicPartition } from '../../kafka/driver.ts'

/** Names in the cluster: everything of one log shares a prefix, so that several logs live in one cluster. */
export interface Names {
  readonly eventTopic: string
  readonly presenceTopic: string
  /** From the name a program uses to the one in the cluster. */
  physical(name: string): string
  logical(name: string): string
  /** One writer per partition of the event topic: whoever initialised this id last. */
  transactionalId(partition: number): string
}

export const PRESENCE_TOPIC = 'duolog.presence'
export const SNAPSHOT_TOPIC = 'duolog.snapshots'
export const BLOB_TOPIC = 'duolog.blobs'

export function namesOf(prefix: string, eventTopic: string): Names {
  const physical = (name: string) => `${prefix}${name}`
  return {
    eventTopic: physical(eventTopic),
    presenceTopic: physical(PRESENCE_TOPIC),
    physical,
    logical: (name) => (name.startsWith(prefix) ? name.slice(prefix.length) : name),
    transactionalId: (partition) => `duolog.writer.${physical(eventTopic)}.${partition}`,
  }
}

export function placeKey({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}
