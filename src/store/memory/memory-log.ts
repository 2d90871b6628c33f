import { DuologError } from '../../core/errors.ts'
import { memoryBlobs } from '../blobs.ts'
import type { Appended, Checkpoint } from '../event-store.ts'
import { judgeAppend, type PositionRange, type StreamFacts } from '../judge-append.ts'
import type { PreparedAppend, PreparedRecord } from '../prepare-append.ts'
import type { TopicLayout } from '../topic-layout.ts'
import { VersionWaiters } from '../wake-ups.ts'
import { MemoryGroup } from './memory-group.ts'
import { MemoryInlineViews } from './memory-inline-views.ts'
import { MemoryPartition, type StoredRecord } from './memory-partition.ts'

/*
 * The log itself, shared by every store opened on the same name. An append runs from its judgement to its last record
 * without a pause in between: that is all it takes here for P2–P5.
 */

export class MemoryStream implements StreamFacts {
  readonly events: StoredRecord[] = []
  readonly keys = new Map<string, PositionRange>()
  readonly eventIds = new Map<string, number>()

  currentVersion = () => this.events.length
  positionsOfKey = (idempotencyKey: string) => this.keys.get(idempotencyKey)
  positionOfEvent = (eventId: string) => this.eventIds.get(eventId)
}

const NO_STREAM = new MemoryStream()

export class MemoryLog {
  readonly layout: TopicLayout
  readonly streams = new Map<string, MemoryStream>()
  readonly versionWaiters = new VersionWaiters()
  /** How often each living owner is announced. */
  readonly owners = new Map<string, number>()
  /** By kind and stream. */
  readonly snapshots = new Map<string, string>()
  readonly blobs = memoryBlobs()
  readonly inlineViews = new MemoryInlineViews((topics, position) => this.#recordsAfter(topics, position))
  readonly #partitions = new Map<string, MemoryPartition>()
  readonly #groups = new Map<string, MemoryGroup>()
  #globalPosition = 0

  constructor(layout: TopicLayout) {
    this.layout = layout
  }

  append(append: PreparedAppend): Appended {
    const facts = this.streams.get(append.stream) ?? NO_STREAM
    const judgement = judgeAppend(append, facts)
    if (judgement.kind === 'refused') throw judgement.error
    if (judgement.kind === 'repeat') return judgement.appended
    const planned = this.#plan(append, judgement.appended)
    const changeRows = this.inlineViews.prepare(planned)
    if (append.checkpoint !== undefined) this.commit(append.checkpoint)
    changeRows()
    this.#write(append, planned, judgement.appended)
    return judgement.appended
  }

  read(stream: string, from: number, to: number): readonly StoredRecord[] {
    return this.streams.get(stream)?.events.slice(from - 1, to) ?? []
  }

  partition(topic: string, partition: number): MemoryPartition {
    return getOrCreate(this.#partitions, `${topic}/${partition}`, () => new MemoryPartition())
  }

  group(name: string): MemoryGroup {
    return getOrCreate(this.#groups, name, () => new MemoryGroup(name, this))
  }

  /** @throws CHECKPOINT_FENCED when somebody else owns the partition now. */
  commit(checkpoint: Checkpoint): void {
    this.group(checkpoint.group).commit(checkpoint)
  }

  /** Where everything of it will lie. */
  #plan({ events, outgoing }: PreparedAppend, { firstStreamPosition }: Appended): readonly StoredRecord[] {
    const ends = new Map<string, number>()
    let globalPosition = this.#globalPosition
    const place = (record: PreparedRecord, streamPosition: number): StoredRecord => {
      const partition = this.layout.partitionOf(record.topic, record.key)
      const name = `${record.topic}/${partition}`
      const offset = ends.get(name) ?? this.partition(record.topic, partition).end
      ends.set(name, offset + 1)
      return { record, partition, offset, streamPosition, globalPosition: ++globalPosition }
    }
    const facts = events.map((event, index) => place(event, firstStreamPosition + index))
    return [...facts, ...outgoing.map((message) => place(message, 0))]
  }

  #write(append: PreparedAppend, planned: readonly StoredRecord[], appended: Appended): void {
    if (append.events.length > 0) this.#writeStream(append, planned.slice(0, append.events.length), appended)
    for (const stored of planned) this.partition(stored.record.topic, stored.partition).add(stored)
    this.#globalPosition += planned.length
    if (append.events.length > 0) this.versionWaiters.reached(append.stream, appended.currentStreamVersion)
  }

  #writeStream(append: PreparedAppend, facts: readonly StoredRecord[], appended: Appended): void {
    const stream = getOrCreate(this.streams, append.stream, () => new MemoryStream())
    for (const stored of facts) {
      stream.events.push(stored)
      stream.eventIds.set(stored.record.eventId, stored.streamPosition)
    }
    if (append.idempotencyKey === undefined) return
    stream.keys.set(append.idempotencyKey, { first: appended.firstStreamPosition, last: appended.currentStreamVersion })
  }

  #recordsAfter(topics: readonly string[], globalPosition: number): readonly StoredRecord[] {
    const numbers = (topic: string) =>
      Array.from({ length: this.layout.partitionCountOf(topic) }, (_, number) => number)
    return topics
      .flatMap((topic) => numbers(topic).flatMap((number) => this.partition(topic, number).storedAfter(globalPosition)))
      .sort((a, b) => a.globalPosition - b.globalPosition)
  }
}

function getOrCreate<T>(map: Map<string, T>, key: string, create: () => T): T {
  const found = map.get(key)
  if (found !== undefined) return found
  const created = create()
  map.set(key, created)
  return created
}

const named = new Map<string, MemoryLog>()

/** The log of this name, kept as long as the process lives; without a name a fresh one that nobody else has. */
export function memoryLog(name: string | undefined, layout: TopicLayout): MemoryLog {
  if (name === undefined) return new MemoryLog(layout)
  const log = getOrCreate(named, name, () => new MemoryLog(layout))
  checkSameLayout(name, log.layout, layout)
  return log
}

function checkSameLayout(name: string, actual: TopicLayout, wanted: TopicLayout): void {
  if (actual.eventTopic !== wanted.eventTopic) throw unsuitable(name, `its event topic is "${actual.eventTopic}"`)
  for (const [topic, { partitions }] of wanted.defined) {
    const count = actual.partitionCountOf(topic)
    if (count !== partitions) throw unsuitable(name, `"${topic}" has ${count} partitions there, not ${partitions}`)
  }
}

function unsuitable(name: string, why: string): DuologError {
  return new DuologError(
    'TOPIC_UNSUITABLE',
    `The log "memory:${name}" is open in this process with other topics: ${why}. Open it with the same options.`,
  )
}
