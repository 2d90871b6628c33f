import type {
  FetchedPartition,
  FetchedRecord,
  FetchOptions,
  FetchPosition,
  PartitionReader,
  WatchedPartition,
} from '../driver.ts'
import { groupBy } from '../group-by.ts'
import type { RecordBatch } from '../record-batches.ts'
import { type FetchedBatches, fetchBatches } from './kafkajs-fetch.ts'
import { type LowBroker, type LowCluster, leaderOf, toKafkaError } from './kafkajs-internals.ts'

/*
 * Reading partitions from given offsets.
 *
 * D1 read_committed: the broker never sends what lies behind the last stable offset; aborted records below it are
 *    dropped here by the list the broker sends along.
 * D2 Markers and whole aborted batches move `nextOffset` though they give no record.
 */

const UNCOMMITTED = 0
const MAX_BYTES = 16 * 1024 * 1024
/** What is asked for at a time is in memory several times over while it is decoded. */
const MAX_PARTITION_BYTES = 1024 * 1024

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

  async watch(position: FetchPosition, options: FetchOptions): Promise<WatchedPartition> {
    try {
      await this.#know([position])
      const broker = await this.#cluster.findBroker({
        nodeId: leaderOf(this.#cluster, position.topic, position.partition),
      })
      const [seen] = await fetchBatches(broker, { ...toRequest([position], options), isolationLevel: UNCOMMITTED })
      if (seen === undefined) return { records: 0, nextOffset: position.offset, stableOffset: -1 }
      const { nextOffset, stableOffset } = toFetched(seen, position.offset)
      const records = seen.batches.reduce((sum, batch) => sum + batch.records.length, 0)
      return { records, nextOffset, stableOffset }
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
    const fetched = await fetchBatches(broker, toRequest(positions, options))
    const asked = new Map(positions.map(({ topic, partition, offset }) => [`${topic}/${partition}`, offset]))
    return fetched.map((each) => toFetched(each, asked.get(`${each.topic}/${each.partition}`) ?? 0))
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

function toFetched(fetched: FetchedBatches, fromOffset: number): FetchedPartition {
  const { topic, partition, batches } = fetched
  const committed = [...committedOnly(fetched)].flatMap(({ records }) => records)
  return {
    topic,
    partition,
    fromOffset,
    // The first batch may begin before the offset that was asked for.
    records: committed[0] !== undefined && committed[0].offset < fromOffset ? from(committed, fromOffset) : committed,
    nextOffset: Math.max(fromOffset, (batches.at(-1)?.lastOffset ?? -1) + 1),
    stableOffset: fetched.lastStableOffset,
    highWatermark: fetched.highWatermark,
  }
}

function from(records: readonly FetchedRecord[], offset: number): readonly FetchedRecord[] {
  return records.filter((record) => record.offset >= offset)
}

/** An aborted transaction runs from its first offset to its marker; batches of its producer in between are void. */
function* committedOnly({ batches, abortedTransactions }: FetchedBatches): Generator<RecordBatch> {
  const aborted = [...abortedTransactions].sort((a, b) => a.firstOffset - b.firstOffset)
  const voided = new Set<bigint>()
  for (const batch of batches) {
    while (aborted[0] !== undefined && aborted[0].firstOffset <= batch.lastOffset) {
      voided.add(aborted.shift()?.producerId ?? -1n)
    }
    if (batch.control) voided.delete(batch.producerId)
    else if (!batch.transactional || !voided.has(batch.producerId)) yield batch
  }
}
