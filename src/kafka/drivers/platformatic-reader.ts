import type { FetchedPartition, FetchOptions, FetchPosition, PartitionReader } from '../driver.ts'
import { groupBy } from '../group-by.ts'
import { nameDenied } from './access-denied.ts'
import { MAX_BYTES, MAX_PARTITION_BYTES, toFetchedPartitions } from './fetched-partition.ts'
import { leaderOf, toKafkaError } from './kafkajs-internals.ts'
import type { PlatformaticCluster } from './platformatic-cluster.ts'

/*
 * Reading partitions from given offsets with @platformatic/kafka. What holds for its records: fetched-partition.ts.
 */

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
    return toFetchedPartitions(await broker.fetch({ ...limits, topics }), positions)
  }
}
