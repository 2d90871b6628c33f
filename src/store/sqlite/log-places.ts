import type { DatabaseSync } from 'node:sqlite'
import { DuologError } from '../../core/errors.ts'
import { partitionOf } from '../../core/murmur2.ts'
import type { StoreOptions } from '../store-options.ts'
import type { TopicLayout } from '../topic-layout.ts'

/*
 * Where the next record of a stream or a partition goes. Read from the file once and remembered until another process
 * wrote; exact inside a write transaction after `refresh`.
 */

export interface StreamPlace {
  readonly id: number
  readonly partition: number
  /** 0: nothing appended yet. */
  version: number
}

export interface TopicPlace {
  readonly id: number
  readonly name: string
  readonly partitions: number
  /** By partition; absent: not known at the moment. */
  readonly nextOffsets: number[]
}

const MAX_REMEMBERED_STREAMS = 50_000
const utf8 = new TextEncoder()

export type LogPlaces = ReturnType<typeof logPlaces>

export function logPlaces(db: DatabaseSync, layout: TopicLayout) {
  const dataVersion = db.prepare('PRAGMA data_version')
  const findTopic = db.prepare('SELECT id, partitions FROM topics WHERE name = ?')
  const findTopicName = db.prepare('SELECT name FROM topics WHERE id = ?')
  const addTopic = db.prepare('INSERT INTO topics (name, partitions) VALUES (?, ?)')
  const findStream = db.prepare('SELECT id FROM streams WHERE topic = ? AND name = ?')
  const addStream = db.prepare('INSERT INTO streams (topic, name) VALUES (?, ?)')
  const findVersion = db.prepare('SELECT max(stream_version) AS version FROM records WHERE stream = ?')
  const findEnd = db.prepare(
    'SELECT "offset" AS last FROM places WHERE topic = ? AND partition = ? ORDER BY "offset" DESC LIMIT 1',
  )

  const topics = new Map<string, TopicPlace>()
  const streams = new Map<string, StreamPlace>()
  let seen = -1

  function versionOf(id: number): number {
    return Number(findVersion.get(id)?.version ?? 0)
  }

  function lastEndOf(topic: TopicPlace, partition: number): number {
    const last = findEnd.get(topic.id, partition)?.last
    return last === undefined ? 0 : Number(last) + 1
  }

  function forget(): void {
    streams.clear()
    for (const topic of topics.values()) topic.nextOffsets.length = 0
  }

  function lookUpTopic(name: string): TopicPlace | undefined {
    const row = findTopic.get(name)
    if (row === undefined) return undefined
    return { id: Number(row.id), name, partitions: Number(row.partitions), nextOffsets: [] }
  }

  function rememberTopic(topic: TopicPlace): TopicPlace {
    topics.set(topic.name, topic)
    return topic
  }

  function partition(topic: TopicPlace, key: string): number {
    return partitionOf(utf8.encode(key), topic.partitions)
  }

  function rememberStream(topic: TopicPlace, name: string, id: number, version: number): StreamPlace {
    const place = { id, partition: partition(topic, name), version }
    if (streams.size >= MAX_REMEMBERED_STREAMS) streams.clear()
    streams.set(name, place)
    return place
  }

  return {
    partition,
    versionOf,

    /** Forgets what another process may have changed. */
    refresh(): void {
      const version = Number(dataVersion.get()?.data_version)
      if (version !== seen) forget()
      seen = version
    },

    /** After a rollback: ids given since may be given again. */
    reset(): void {
      forget()
      topics.clear()
    },

    topicName(id: number): string {
      return String(findTopicName.get(id)?.name)
    },

    topic(name: string): TopicPlace | undefined {
      const known = topics.get(name)
      if (known !== undefined) return known
      const found = lookUpTopic(name)
      return found === undefined ? undefined : rememberTopic(found)
    },

    /** In a transaction only. */
    topicToWrite(name: string): TopicPlace {
      const found = this.topic(name)
      if (found !== undefined) return found
      const partitions = layout.partitionCountOf(name)
      const { lastInsertRowid } = addTopic.run(name, partitions)
      return rememberTopic({ id: Number(lastInsertRowid), name, partitions, nextOffsets: [] })
    },

    /** Its `version` is exact only after `refresh` in the same transaction. */
    stream(name: string): StreamPlace | undefined {
      const known = streams.get(name)
      if (known !== undefined) return known
      const topic = this.topic(layout.eventTopic)
      if (topic === undefined) return undefined
      const row = findStream.get(topic.id, name)
      if (row === undefined) return undefined
      const id = Number(row.id)
      return rememberStream(topic, name, id, versionOf(id))
    },

    /** In a transaction only, of a stream that is not there yet. */
    addStream(name: string): StreamPlace {
      const topic = this.topicToWrite(layout.eventTopic)
      return rememberStream(topic, name, Number(addStream.run(topic.id, name).lastInsertRowid), 0)
    },

    /** The next offset of each partition as committed now; outside a transaction. */
    endsOf(name: string): number[] {
      const topic = this.topic(name)
      if (topic === undefined) return []
      return Array.from({ length: topic.partitions }, (_, partition) => lastEndOf(topic, partition))
    },

    /** The partition's next offset; in a transaction after `refresh`. Pass it on by raising it. */
    endOf(topic: TopicPlace, partition: number): number {
      const known = topic.nextOffsets[partition]
      if (known !== undefined) return known
      const end = lastEndOf(topic, partition)
      topic.nextOffsets[partition] = end
      return end
    },
  }
}

/**
 * Every topic the program defines exists. One that it defined itself has that many partitions; where only our defaults
 * speak, the file is right.
 *
 * @throws TOPIC_UNSUITABLE
 */
export function checkTopics(
  places: LogPlaces,
  { defined }: TopicLayout,
  own: StoreOptions['topics'] = {},
  path = '',
): string[] {
  const missing: string[] = []
  for (const [name, { partitions }] of defined) {
    const topic = places.topic(name)
    if (topic === undefined) missing.push(name)
    else if (name in own && topic.partitions !== partitions) throw unsuitable(path, topic, partitions)
  }
  return missing
}

function unsuitable(path: string, topic: TopicPlace, wanted: number): DuologError {
  return new DuologError(
    'TOPIC_UNSUITABLE',
    `The topic "${topic.name}" has ${topic.partitions} partitions in "${path}", this program defines ${wanted}. ` +
      'The number is fixed when a topic is created, since it decides where a key lives: open the log with the same ' +
      '"topics", or use a new file.',
  )
}
