import type { Logger } from '../../core/logger.ts'
import type { KafkaDriver, PartitionReader, TransactionalWriter } from '../../kafka/driver.ts'
import type { QueueLimits } from './append-queue.ts'
import type { CheckpointGuard } from './checkpoint-guard.ts'
import { MemoryReplica } from './memory-replica.ts'
import { OwedVersions } from './owed-versions.ts'
import { PartitionLog } from './partition-log.ts'
import type { PartitionReplica } from './partition-replica.ts'
import { PartitionWriter } from './partition-writer.ts'
import type { Origin } from './record-codec.ts'
import type { StoreTopics } from './store-topics.ts'

/** The logs and writers of the event topic's partitions, each made when first used. */

export interface EventPartitionsOptions {
  readonly driver: KafkaDriver
  readonly topics: StoreTopics
  readonly logger: Logger
  readonly onEvents: (stream: string, version: number) => void
  /** Default: in memory. */
  readonly openReplica?: ((partition: number) => PartitionReplica) | undefined
  readonly guard: CheckpointGuard
  readonly limits: QueueLimits
}

/** After so long without a commit the coordinator ends a transaction by itself: the longest a dead writer holds up readers. */
const TRANSACTION_TIMEOUT_MS = 10_000

export class EventPartitions {
  readonly #options: EventPartitionsOptions
  readonly #reader: PartitionReader
  readonly #logs = new Map<number, PartitionLog>()
  readonly #owed = new Map<number, OwedVersions>()
  readonly #writers = new Map<number, PartitionWriter>()
  #ending: Promise<void> | undefined

  constructor(options: EventPartitionsOptions) {
    this.#options = options
    this.#reader = options.driver.openReader()
  }

  log(partition: number): PartitionLog {
    const known = this.#logs.get(partition)
    if (known !== undefined) return known
    const log = this.#openLog(partition)
    this.#logs.set(partition, log)
    return log
  }

  /** The next read of the stream shows that version (L8). */
  owe({ stream, version }: Origin): void {
    const { topics } = this.#options
    this.#owedIn(topics.partitionOf(topics.eventTopic, stream)).add(stream, version)
  }

  writer(partition: number): PartitionWriter {
    const known = this.#writers.get(partition)
    if (known !== undefined) return known
    const writer = this.#openWriter(partition)
    this.#writers.set(partition, writer)
    return writer
  }

  /** What dead writers left undecided is aborted, in every partition. A living one loses no more than its place (W4). */
  endOpenTransactions(): Promise<void> {
    this.#ending ??= this.#endAll().finally(() => {
      this.#ending = undefined
    })
    return this.#ending
  }

  async close(): Promise<void> {
    await Promise.all([...this.#writers.values()].map((writer) => writer.close()))
    for (const log of this.#logs.values()) log.close()
    await this.#reader.close()
  }

  async #endAll(): Promise<void> {
    const { topics, logger } = this.#options
    logger.debug({}, 'Ending what transactions are open, by taking their writers over')
    await Promise.all(
      topics.eventPartitions.map(async (partition) => {
        const writer = this.#transactional(partition)
        try {
          await writer.init()
        } finally {
          await writer.close()
        }
      }),
    )
  }

  #transactional(partition: number): TransactionalWriter {
    const { driver, topics } = this.#options
    const transactionalId = topics.names.transactionalId(partition)
    return driver.openWriter({ transactionalId, transactionTimeoutMs: TRANSACTION_TIMEOUT_MS })
  }

  #openLog(partition: number): PartitionLog {
    const { driver, topics, logger, onEvents, openReplica = () => new MemoryReplica() } = this.#options
    return new PartitionLog({
      topic: topics.names.eventTopic,
      logicalTopic: topics.eventTopic,
      partition,
      partitionCount: topics.eventPartitions.length,
      reader: this.#reader,
      replica: openReplica(partition),
      owed: this.#owedIn(partition),
      askEnd: () => driver.offsetOf({ topic: topics.names.eventTopic, partition }, 'written'),
      logger,
      onEvents: (streams) => {
        for (const [stream, version] of streams) onEvents(stream, version)
      },
    })
  }

  /** Kept apart from the log: who only passes messages on opens none. */
  #owedIn(partition: number): OwedVersions {
    const owed = this.#owed.get(partition) ?? new OwedVersions()
    this.#owed.set(partition, owed)
    return owed
  }

  #openWriter(partition: number): PartitionWriter {
    const { driver, topics, logger, guard, limits } = this.#options
    const { names } = topics
    const log = this.log(partition)
    return new PartitionWriter({
      names,
      partition,
      log,
      reader: driver.openReader(),
      writer: this.#transactional(partition),
      logger,
      facts: (stream) => log.facts(stream),
      partitionOf: (topic, key) => topics.partitionOf(topic, key),
      guard,
      limits,
    })
  }
}
