import { DuologError } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import type { KafkaDriver, NewTopic, TopicDescription } from './driver.ts'

/*
 * Topics as duolog needs them: made when missing (or required to be there), and refused where they would lose history.
 */

/** History is for ever. */
export const EVENT_TOPIC_CONFIG = {
  'cleanup.policy': 'delete',
  'retention.ms': '-1',
  'retention.bytes': '-1',
} as const

/** Heartbeats with the broker's own times, and only the last few minutes of them. */
export const PRESENCE_TOPIC_CONFIG = {
  'cleanup.policy': 'delete',
  'retention.ms': '600000',
  'segment.ms': '600000',
  'message.timestamp.type': 'LogAppendTime',
} as const

/** Of each key the last one: a stream's newest snapshot. */
export const SNAPSHOT_TOPIC_CONFIG = {
  'cleanup.policy': 'compact',
} as const

/** Kept as long as the events that point here. */
export const BLOB_TOPIC_CONFIG = {
  'cleanup.policy': 'delete',
  'retention.ms': '-1',
  'retention.bytes': '-1',
} as const

export interface EnsureOptions {
  /** `require`: a missing topic is an error. */
  readonly mode: 'create' | 'require'
  readonly logger: Logger
}

/**
 * @returns what there is then, by name.
 * @throws TOPIC_MISSING listing what is missing, with mode `require`.
 */
export async function ensureTopics(
  driver: KafkaDriver,
  wanted: readonly NewTopic[],
  { mode, logger }: EnsureOptions,
): Promise<ReadonlyMap<string, TopicDescription>> {
  const names = wanted.map(({ topic }) => topic)
  const existing = byName(await driver.describeTopics(names))
  const missing = wanted.filter(({ topic }) => !existing.has(topic))
  if (missing.length === 0) return existing
  if (mode === 'require') throw topicsMissing(missing)
  await driver.createTopics(missing)
  const created = missing.map(({ topic, partitions }) => `${topic} with ${partitions} partitions`)
  logger.warn({ topics: names }, `Created what was missing (?topics=require forbids it): ${created.join(', ')}`)
  return existingAll(driver, names)
}

/** A new topic is known to every broker a moment later. */
async function existingAll(
  driver: KafkaDriver,
  names: readonly string[],
): Promise<ReadonlyMap<string, TopicDescription>> {
  for (let attempt = 0; ; attempt++) {
    const existing = byName(await driver.describeTopics(names))
    if (existing.size === new Set(names).size) return existing
    if (attempt === 50)
      throw new DuologError('BROKER_REFUSED', `The topics ${names.join(', ')} were created and are not there.`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** @throws TOPIC_UNSUITABLE where the topic would lose or reorder events. */
export function checkEventTopic(topic: TopicDescription, wantedPartitions: number): void {
  if (topic.cleanupPolicy.includes('compact')) {
    throw unsuitable(
      topic.topic,
      `has cleanup.policy=${topic.cleanupPolicy}: compaction keeps one event per session and deletes the rest. Set cleanup.policy=delete`,
    )
  }
  if (topic.partitions !== wantedPartitions) {
    throw unsuitable(
      topic.topic,
      `has ${topic.partitions} partitions, ${wantedPartitions} are defined. If it was made with ${topic.partitions}, define them in the options, or in the URL with eventPartitions=${topic.partitions}. If partitions were added since, streams are parted from their past: begin a log with another prefix`,
    )
  }
}

/** What deletes events sooner or later; nothing where history is for ever. */
export function flawOfRetention({ config, retentionMs }: TopicDescription): string | undefined {
  if (retentionMs >= 0) return `deletes events after ${retentionMs} ms, and with them sessions. Set retention.ms=-1`
  const bytes = Number(config.get('retention.bytes')?.value ?? -1)
  return bytes >= 0 ? `deletes the oldest events beyond ${bytes} bytes. Set retention.bytes=-1` : undefined
}

export function warnOfRetention(topic: TopicDescription, logger: Logger): void {
  const flaw = flawOfRetention(topic)
  if (flaw !== undefined) logger.warn({ topic: topic.topic }, `The topic ${topic.topic} ${flaw}`)
}

function topicsMissing(missing: readonly NewTopic[]): DuologError {
  const list = missing.map(({ topic, partitions }) => `${topic} (${partitions} partitions)`).join(', ')
  return new DuologError(
    'TOPIC_MISSING',
    `These topics do not exist: ${list}. Create them, or open without topics=require.`,
  )
}

function unsuitable(topic: string, flaw: string): DuologError {
  return new DuologError('TOPIC_UNSUITABLE', `The topic ${topic} ${flaw}.`)
}

function byName(topics: readonly TopicDescription[]): ReadonlyMap<string, TopicDescription> {
  return new Map(topics.map((topic) => [topic.topic, topic]))
}
