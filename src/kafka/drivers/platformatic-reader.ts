import type { FetchedPartition, FetchedRecord, FetchOptions, FetchPosition, PartitionReader } from '../driver.ts'
import { groupBy } from '../group-by.ts'
import { nameDenied } from './access-denied.ts'
import { leaderOf, toKafkaError } from './kafkajs-internals.ts'
import type { FetchedBatches } from './platformatic-broker.ts'
import type { PlatformaticCluster } from './platformatic-cluster.ts'
import type { RecordsBatch } from './platformatic-library.ts'

/*
 * Reading partitions from given offsets with @platformatic/kafka.
 *
 * D1 read_committed: the broker never sends what lies behind the last stable offset; aborted batches below it are
 *    dropped here by the list the broker sends along.
 * D2 Markers and aborted batches move `nextOffset` though they give no record.
 */

const MAX_BYTES = 16 * 1024 * 1024
const MAX_PARTITION_BYTES = 4 * 1024 * 1024
const LOG_APPEND_TIME = 0x08
const TRANSACTIONAL = 0x10
const CONTROL = 0x20

export class PlatformaticReader implements PartitionReader {
  readonly #cluster: PlatformaticCluster
  #stale = true

  constructor(cluster: PlatformaticCluster) {
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
      const topics = positions.map(({ topic }) => topic)
      throw nameDenied(toKafkaError(error), { topics, topicOperations: 'Read and Describe' })
    }
  }

  close(): Promise<void> {
    return this.#cluster.disconnect()
  }

  /** After any failure: ask again who leads. */
  async #know(positions: readonly FetchPosition[]): Promise<void> {
    await this.#cluster.addMultipleTargetTopics(positions.map(({ topic }) => topic))
    if (this.#stale) await this.#cluster.refreshMetadata()
    this.#stale = false
  }

  async #fetchFrom(nodeId: string, positions: readonly FetchPosition[], { maxWaitMs }: FetchOptions) {
    const broker = await this.#cluster.findBroker({ nodeId })
    const topics = [...groupBy(positions, ({ topic }) => topic)].map(([topic, partitions]) => ({ topic, partitions }))
    const limits = { maxWaitMs, maxBytes: MAX_BYTES, maxPartitionBytes: MAX_PARTITION_BYTES }
    const fetched = await broker.fetch({ ...limits, topics })
    const asked = new Map(positions.map(({ topic, partition, offset }) => [`${topic}/${partition}`, offset]))
    return fetched.map((each) => toFetched(each, asked.get(`${each.topic}/${each.partition}`) ?? 0))
  }
}

function toFetched(fetched: FetchedBatches, fromOffset: number): FetchedPartition {
  const { topic, partition, batches } = fetched
  // The first batch may begin before the offset that was asked for.
  const records = [...committedOnly(fetched)].flatMap(toRecords).filter(({ offset }) => offset >= fromOffset)
  const last = batches[batches.length - 1]
  return {
    topic,
    partition,
    fromOffset,
    records,
    nextOffset: last === undefined ? fromOffset : Math.max(fromOffset, lastOffsetOf(last) + 1),
    stableOffset: Number(fetched.lastStableOffset),
    highWatermark: Number(fetched.highWatermark),
  }
}

/** An aborted transaction runs from its first offset to its marker; batches of its producer in between are void. */
function* committedOnly({ batches, abortedTransactions }: FetchedBatches): Generator<RecordsBatch> {
  const aborted = [...abortedTransactions].sort((a, b) => Number(a.firstOffset - b.firstOffset))
  const voided = new Set<bigint>()
  for (const batch of batches) {
    while (aborted[0] !== undefined && Number(aborted[0].firstOffset) <= lastOffsetOf(batch)) {
      voided.add(aborted.shift()?.producerId ?? -1n)
    }
    const { attributes, producerId } = batch
    if ((attributes & CONTROL) !== 0) voided.delete(producerId)
    else if ((attributes & TRANSACTIONAL) === 0 || !voided.has(producerId)) yield batch
  }
}

function lastOffsetOf({ firstOffset, lastOffsetDelta }: RecordsBatch): number {
  return Number(firstOffset) + lastOffsetDelta
}

function toRecords({ attributes, firstOffset, firstTimestamp, maxTimestamp, records }: RecordsBatch): FetchedRecord[] {
  const baseOffset = Number(firstOffset)
  const baseMs = Number(firstTimestamp)
  const appendedMs = (attributes & LOG_APPEND_TIME) === 0 ? undefined : Number(maxTimestamp)
  return records.map(({ offsetDelta, timestampDelta, key, value, headers }) => ({
    offset: baseOffset + offsetDelta,
    timestampMs: appendedMs ?? baseMs + Number(timestampDelta),
    key,
    value,
    headers: toHeaders(headers),
  }))
}

function toHeaders(entries: readonly (readonly [Buffer | null, Buffer | null])[]): FetchedRecord['headers'] {
  const headers = new Map<string, Buffer | null | (Buffer | string)[]>()
  for (const [name, value] of entries) {
    const key = name?.toString() ?? ''
    const former = headers.get(key)
    headers.set(key, former === undefined ? value : [former ?? [], value ?? []].flat())
  }
  return Object.fromEntries(headers)
}
