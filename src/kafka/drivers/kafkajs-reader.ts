import type { FetchedPartition, FetchOptions, FetchPosition, PartitionReader, WatchedPartition } from '../driver.ts'
import { groupBy } from '../group-by.ts'
import { toFetchedBatches } from './fetch-answer.ts'
import { MAX_BYTES, MAX_PARTITION_BYTES, toFetched, toFetchedPartitions } from './fetched-partition.ts'
import { type LowBroker, type LowCluster, leaderOf, toKafkaError } from './kafkajs-internals.ts'

/*
 * Reading partitions from given offsets with kafkajs. What holds for its records: fetched-partition.ts.
 */

const UNCOMMITTED = 0

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
      const answer = await broker.fetch({ ...toRequest([position], options), isolationLevel: UNCOMMITTED })
      const [seen] = toFetchedBatches(answer)
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
    return toFetchedPartitions(toFetchedBatches(await broker.fetch(toRequest(positions, options))), positions)
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
