import type { FetchedPartition, FetchedRecord, FetchOptions, FetchPosition, PartitionReader } from '../driver.ts'
import { groupBy } from '../group-by.ts'
import {
  type LowBroker,
  type LowCluster,
  type LowFetchedMessage,
  type LowFetchedPartition,
  leaderOf,
  toKafkaError,
} from './kafkajs-internals.ts'

/*
 * Reading partitions from given offsets.
 *
 * D1 read_committed: the broker never sends what lies behind the last stable offset; aborted records below it are
 *    dropped here by the list the broker sends along.
 * D2 Markers and whole aborted batches move `nextOffset` though they give no record.
 */

const MAX_BYTES = 16 * 1024 * 1024
const MAX_PARTITION_BYTES = 4 * 1024 * 1024

export class KafkajsReader implements PartitionReader {
  readonly #cluster: LowCluster
  readonly #topics = new Set<string>()
  #stale = true

  constructor(cluster: LowCluster) {
    this.#cluster = cluster
  }

  async fetch(positions: readonly FetchPosition[], options: FetchOptions): Promise<readonly FetchedPartition[]> {
    try {
      await this.#know(positions)
      const byLeader = groupBy(positions, ({ topic, partition }) => String(leaderOf(this.#cluster, topic, partition)))
      const fetches = [...byLeader].map(([nodeId, group]) => this.#fetchFrom(nodeId, group, options))
      return (await Promise.all(fetches)).flat()
    } catch (error) {
      this.#stale = true
      throw toKafkaError(error)
    }
  }

  close(): Promise<void> {
    return this.#cluster.disconnect()
  }

  /** After any failure: connect again if need be, and ask who leads. */
  async #know(positions: readonly FetchPosition[]): Promise<void> {
    const unknown = positions.filter(({ topic }) => !this.#topics.has(topic))
    if (!this.#stale && unknown.length === 0) return
    await this.#cluster.connect()
    for (const { topic } of positions) this.#topics.add(topic)
    await this.#cluster.addMultipleTargetTopics([...this.#topics])
    await this.#cluster.refreshMetadata()
    this.#stale = false
  }

  async #fetchFrom(nodeId: string, positions: readonly FetchPosition[], options: FetchOptions) {
    const broker = await this.#cluster.findBroker({ nodeId })
    const { responses } = await broker.fetch(toRequest(positions, options))
    const asked = new Map(positions.map(({ topic, partition, offset }) => [`${topic}/${partition}`, offset]))
    return responses.flatMap(({ topicName, partitions }) =>
      partitions.map((fetched) => toFetched(topicName, fetched, asked.get(`${topicName}/${fetched.partition}`) ?? 0)),
    )
  }
}

function toRequest(
  positions: readonly FetchPosition[],
  { maxWaitMs }: FetchOptions,
): Parameters<LowBroker['fetch']>[0] {
  const topics = [...groupBy(positions, ({ topic }) => topic)].map(([topic, group]) => ({
    topic,
    partitions: group.map(({ partition, offset }) => ({
      partition,
      fetchOffset: String(offset),
      maxBytes: MAX_PARTITION_BYTES,
    })),
  }))
  return { isolationLevel: 1, maxWaitTime: maxWaitMs, minBytes: 1, maxBytes: MAX_BYTES, topics }
}

function toFetched(topic: string, fetched: LowFetchedPartition, fromOffset: number): FetchedPartition {
  const records: FetchedRecord[] = []
  let nextOffset = fromOffset
  for (const message of committedOnly(fetched)) {
    // The first batch may begin before the offset that was asked for.
    if (Number(message.offset) >= fromOffset) records.push(toRecord(message))
  }
  for (const { batchContext } of fetched.messages) {
    nextOffset = Math.max(nextOffset, Number(batchContext.firstOffset) + batchContext.lastOffsetDelta + 1)
  }
  return {
    topic,
    partition: fetched.partition,
    fromOffset,
    records,
    nextOffset,
    stableOffset: Number(fetched.lastStableOffset),
    highWatermark: Number(fetched.highWatermark),
  }
}

/** An aborted transaction runs from its first offset to its marker; records of its producer in between are void. */
function* committedOnly({ messages, abortedTransactions }: LowFetchedPartition): Generator<LowFetchedMessage> {
  const aborted = [...(abortedTransactions ?? [])].sort((a, b) => Number(a.firstOffset) - Number(b.firstOffset))
  const void_ = new Set<string>()
  for (const message of messages) {
    while (aborted[0] !== undefined && Number(aborted[0].firstOffset) <= Number(message.offset)) {
      void_.add(aborted.shift()?.producerId ?? '')
    }
    const { producerId, inTransaction } = message.batchContext
    if (message.isControlRecord) void_.delete(producerId)
    else if (!inTransaction || !void_.has(producerId)) yield message
  }
}

function toRecord({ offset, timestamp, key, value, headers }: LowFetchedMessage): FetchedRecord {
  return { offset: Number(offset), timestampMs: Number(timestamp), key, value, headers }
}
