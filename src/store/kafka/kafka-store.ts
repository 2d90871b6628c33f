import { DuologError } from '../../core/errors.ts'
import type { AnyEvent, NewEvent, RawRecord, RecordedEvent } from '../../core/event.ts'
import type { Logger } from '../../core/logger.ts'
import type { KafkaDriver } from '../../kafka/driver.ts'
import { aggregate } from '../aggregate.ts'
import type { BlobStore } from '../blobs.ts'
import {
  checkConsumeOptions,
  checkInteger,
  checkName,
  checkReadOptions,
  checkStream,
  checkTopic,
} from '../check-arguments.ts'
import type {
  Aggregated,
  AggregateOptions,
  Appended,
  AppendOptions,
  ConsumeOptions,
  Consumer,
  EventStore,
  FollowPartitionsOptions,
  PartitionBatch,
  PartitionPosition,
  Presence,
  ReadConsistency,
  ReadStreamOptions,
  StreamInfo,
} from '../event-store.ts'
import { checkFollowOptions, type FollowSource, followSources, READER } from '../follow-partitions.ts'
import { type PrepareContext, prepareAppend } from '../prepare-append.ts'
import type { SnapshotStore } from '../snapshot-store.ts'
import { Snapshots } from '../snapshots.ts'
import { eventsOf, FIRST_PAGE_EVENTS, pageSize } from '../sqlite/stream-reader.ts'
import type { StoreOptions } from '../store-options.ts'
import { systemClock, systemRandom } from '../system.ts'
import { VersionWaiters } from '../wake-ups.ts'
import { warningLogger } from '../warning-logger.ts'
import { CheckpointGuard } from './checkpoint-guard.ts'
import { connect } from './connect.ts'
import type { KafkaConnection } from './connection.ts'
import { EventPartitions } from './event-partitions.ts'
import { EventTail } from './event-tail.ts'
import { watchEventTopic } from './event-topic-watch.ts'
import { fedPartition } from './fed-partition.ts'
import { KafkaBlobs } from './kafka-blobs.ts'
import { KafkaConsumer } from './kafka-consumer.ts'
import { KafkaPresence } from './kafka-presence.ts'
import { KafkaSnapshots } from './kafka-snapshots.ts'
import type { Names } from './names.ts'
import { PartitionFeed } from './partition-feed.ts'
import type { PartitionLog } from './partition-log.ts'
import type { PartitionReplica } from './partition-replica.ts'
import { readRaw } from './read-raw.ts'
import type { Origin } from './record-codec.ts'
import { checkedReplica } from './replica-file.ts'
import { sqliteReplicas } from './sqlite-replicas.ts'
import { storeClosed, toStoreError } from './store-errors.ts'
import { StoreTopics } from './store-topics.ts'

/*
 * The EventStore on a Kafka cluster. The topics are the truth; everything here can be lost at any moment.
 *
 * P2–P5 rest on the fenced writer (partition-writer.ts), reads on the replica (partition-log.ts), consumers on
 * kafka-consumer.ts. docs/internals/kafka.md tells the whole protocol.
 */

export type { KafkaConnection }

const DEFAULT_LEASE_MS = 5000
const MAX_QUEUED_APPENDS = 10_000
const MAX_QUEUED_BYTES = 64 * 1024 * 1024

/**
 * Opens the log on a cluster. Missing topics are made with their default partition counts, unless `topics: 'require'`.
 *
 * @throws BROKER_UNREACHABLE within 10 s, TOPIC_MISSING, TOPIC_UNSUITABLE, DEPENDENCY_MISSING, BROKER_REFUSED,
 *   REPLICA_UNAVAILABLE.
 */
export async function openKafkaStore(connection: KafkaConnection, options: StoreOptions = {}): Promise<EventStore> {
  const { logger = warningLogger } = options
  return openKafkaStoreOn(await connect(connection, logger), connection, options)
}

/** The same on any driver; the store closes it. */
export async function openKafkaStoreOn(
  driver: KafkaDriver,
  connection: KafkaConnection,
  options: StoreOptions = {},
): Promise<EventStore> {
  const { logger = warningLogger } = options
  try {
    const topics = await StoreTopics.open({ driver, connection, options, logger })
    const directory = checkedReplica(options.replica)
    const openReplica = directory === undefined ? undefined : await sqliteReplicas({ directory, topics, logger })
    return new KafkaStore({ driver, topics, options, logger, openReplica })
  } catch (error) {
    await driver.close()
    throw toStoreError(error)
  }
}

interface StoreParts {
  readonly driver: KafkaDriver
  readonly topics: StoreTopics
  readonly options: StoreOptions
  readonly logger: Logger
  readonly openReplica: ((partition: number) => PartitionReplica) | undefined
}

class KafkaStore implements EventStore {
  readonly backing = 'kafka'
  readonly eventTopic: string
  readonly logger: Logger
  readonly presence: Presence
  readonly snapshots: SnapshotStore
  readonly blobs: BlobStore
  readonly #driver: KafkaDriver
  readonly #topics: StoreTopics
  readonly #names: Names
  readonly #prepare: PrepareContext
  readonly #partitions: EventPartitions
  readonly #tail: EventTail
  readonly #unwatch: () => void
  readonly #snapshotTable: KafkaSnapshots
  readonly #leaseMs: number
  readonly #heartbeats: KafkaPresence
  readonly #waiters = new VersionWaiters()
  readonly #consumers = new Set<KafkaConsumer>()
  readonly #guard = new CheckpointGuard()
  readonly #closing = new AbortController()
  #closed: Promise<void> | undefined

  constructor({ driver, topics, options, logger, openReplica }: StoreParts) {
    const { clock = systemClock, random = systemRandom, leaseMs = DEFAULT_LEASE_MS } = options
    const { maxQueuedAppends = MAX_QUEUED_APPENDS, maxQueuedBytes = MAX_QUEUED_BYTES } = options
    this.eventTopic = topics.eventTopic
    this.#driver = driver
    this.#topics = topics
    this.#names = topics.names
    this.logger = logger
    this.#prepare = { eventTopic: topics.eventTopic, appendTimeoutMs: options.appendTimeoutMs, clock, random }
    this.#partitions = new EventPartitions({
      driver,
      topics,
      logger,
      onEvents: (stream, version) => this.#waiters.reached(stream, version),
      openReplica,
      guard: this.#guard,
      limits: { maxAppends: maxQueuedAppends, maxBytes: maxQueuedBytes },
    })
    this.#tail = new EventTail({
      driver,
      logger,
      topic: this.#names.eventTopic,
      log: (partition) => this.#partitions.log(partition),
    })
    this.#unwatch = watchEventTopic({
      driver,
      topic: this.#names.eventTopic,
      partitions: topics.eventPartitions.length,
      logger,
    })
    this.#snapshotTable = new KafkaSnapshots(driver, topics)
    this.blobs = new KafkaBlobs(driver, topics)
    this.snapshots = new Snapshots(this.#snapshotTable, logger)
    this.#leaseMs = leaseMs
    this.#heartbeats = new KafkaPresence({ driver, topic: this.#names.presenceTopic, leaseMs, logger })
    this.presence = {
      announce: (owner) => this.#whileOpen(() => this.#heartbeats.announce(checkedOwner(owner))),
      liveness: (owner) => this.#whileOpen(() => this.#heartbeats.liveness(checkedOwner(owner))),
    }
  }

  readStream<T extends AnyEvent>(stream: string, options: ReadStreamOptions = {}): AsyncIterable<RecordedEvent<T>> {
    return { [Symbol.asyncIterator]: () => eventsOf(this.#pages<T>(stream, options)) }
  }

  /** Page by page, so that no stream is ever in memory as a whole. */
  async *#pages<T extends AnyEvent>(
    stream: string,
    options: ReadStreamOptions,
  ): AsyncGenerator<readonly RecordedEvent<T>[]> {
    this.#checkOpen()
    checkReadOptions(stream, options)
    const { from = 1, to = Number.MAX_SAFE_INTEGER, maxCount = Number.MAX_SAFE_INTEGER } = options
    const log = await this.#whileOpen(() => this.#logToRead(stream, options.consistency))
    const last = Math.min(to, from - 1 + maxCount, await this.#whileOpen(() => log.versionOf(stream)))
    for (let next = from, size = FIRST_PAGE_EVENTS; next <= last; ) {
      const rows = await this.#whileOpen(() => log.rows(stream, next, Math.min(last, next + size - 1)))
      if (rows.length === 0) return
      yield rows.map((row) => log.toEvent(row, stream) as RecordedEvent<T>)
      next += rows.length
      size = pageSize(rows)
    }
  }

  async #logToRead(stream: string, consistency: ReadConsistency | undefined): Promise<PartitionLog> {
    const partition = this.#partitionOf(stream)
    const log = this.#partitions.log(partition)
    if (consistency !== 'eventual') await log.catchUp()
    else {
      await log.catchUpOnce()
      this.#tail.keepFresh(partition)
    }
    return log
  }

  async appendToStream(stream: string, events: readonly NewEvent[], options: AppendOptions = {}): Promise<Appended> {
    this.#checkOpen()
    const append = prepareAppend(stream, events, options, this.#prepare)
    const unknown = this.#topics.unknownOf(append.outgoing)
    return this.#whileOpen(async () => {
      if (unknown.length > 0) await this.#topics.ensure(unknown)
      this.#checkOpen()
      return this.#partitions.writer(this.#partitionOf(stream)).append(append)
    })
  }

  async aggregateStream<State, T extends AnyEvent>(
    stream: string,
    options: AggregateOptions<State, T>,
  ): Promise<Aggregated<State>> {
    return aggregate(this, stream, options)
  }

  async *listStreams(): AsyncGenerator<StreamInfo> {
    this.#checkOpen()
    const logs = this.#topics.eventPartitions.map((partition) => this.#partitions.log(partition))
    await this.#whileOpen(() => Promise.all(logs.map((log) => log.catchUp())))
    for (const log of logs) yield* log.streams()
  }

  async waitForVersion(
    stream: string,
    version: number,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<number> {
    this.#checkOpen()
    checkStream(stream)
    checkInteger('version', version, 0)
    const partition = this.#partitionOf(stream)
    const log = this.#partitions.log(partition)
    const signal = AbortSignal.any([this.#closing.signal, ...(options.signal === undefined ? [] : [options.signal])])
    const wait = () => this.#tail.during(partition, () => this.#waited(log, stream, version, signal))
    return this.#whileOpen(async () => {
      // A session's runner and its calls wait in turns: what the poll of one shows, the next one need not ask for.
      if (version > 0 && this.#tail.shows(partition)) return wait()
      await log.catchUp()
      const current = await log.versionOf(stream)
      return current >= version ? current : wait()
    })
  }

  /** It may have grown between the look before and now. */
  #waited(log: PartitionLog, stream: string, version: number, signal: AbortSignal): Promise<number> {
    const waiting = this.#waiters.wait(stream, version, signal)
    log.versionOf(stream).then(
      (current) => this.#waiters.reached(stream, current),
      () => {}, // who waits hears of the close by its signal
    )
    return waiting
  }

  async partitionEnds(topic: string): Promise<readonly PartitionPosition[]> {
    this.#checkOpen()
    checkTopic(topic)
    return this.#whileOpen(async () => {
      await this.#topics.ensure([topic])
      const partitions = Array.from({ length: this.#topics.partitionCountOf(topic) }, (_, partition) => partition)
      const physical = this.#names.physical(topic)
      return Promise.all(
        partitions.map(async (partition) => {
          const offset = await this.#driver.offsetOf({ topic: physical, partition }, 'latest')
          return { topic, partition, offset }
        }),
      )
    })
  }

  async readRaw({ topic, ...place }: PartitionPosition): Promise<RawRecord | undefined> {
    checkTopic(topic)
    return this.#whileOpen(() => readRaw(this.#driver, { ...place, topic: this.#names.physical(topic) }))
  }

  async *followPartitions(
    from: readonly PartitionPosition[],
    options: FollowPartitionsOptions = {},
  ): AsyncGenerator<PartitionBatch> {
    this.#checkOpen()
    checkFollowOptions(from)
    await this.#whileOpen(() => this.#topics.ensure(from.map(({ topic }) => topic)))
    const signal = AbortSignal.any([this.#closing.signal, ...(options.signal === undefined ? [] : [options.signal])])
    const feed = new PartitionFeed({ driver: this.#driver, logger: this.logger })
    try {
      const sources = from.map(({ topic, ...place }) =>
        this.#fed(feed, { ...place, topic: this.#names.physical(topic) }),
      )
      yield* followSources(sources, signal, options.select)
    } finally {
      await feed.close()
    }
  }

  consume(options: ConsumeOptions): Consumer {
    this.#checkOpen()
    checkConsumeOptions(options)
    const consumer = new KafkaConsumer(options, {
      driver: this.#driver,
      names: this.#names,
      logger: this.logger,
      leaseMs: this.#leaseMs,
      guard: this.#guard,
      endOpenTransactions: () => this.#partitions.endOpenTransactions(),
      eventLog: (partition) => this.#partitions.log(partition),
      owe: (origin) => this.#partitions.owe(origin),
      prepared: this.#topics.ensure(options.topics),
    })
    this.#consumers.add(consumer)
    void consumer.released.then(() => this.#consumers.delete(consumer))
    return { ready: consumer.ready, ended: consumer.ended, stop: () => consumer.stop() }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  /** Handlers that are ending may still append, so the writers close after the consumers. */
  async #close(): Promise<void> {
    this.#closing.abort()
    this.#unwatch()
    const consumers = [...this.#consumers]
    await Promise.all(consumers.map((consumer) => consumer.stop()))
    await this.snapshots.idle()
    await this.#snapshotTable.close()
    await this.#tail.close()
    const released = consumers.map((consumer) => consumer.released)
    await Promise.all([this.#partitions.close(), this.#heartbeats.close(), ...released])
    await this.#driver.close()
  }

  #fed(feed: PartitionFeed, { offset, ...place }: PartitionPosition): FollowSource {
    const eventLog = (partition: number) => this.#partitions.log(partition)
    const owe = (origin: Origin) => this.#partitions.owe(origin)
    const tools = { driver: this.#driver, names: this.#names, logger: this.logger, eventLog, owe, who: READER }
    const source = fedPartition(feed.follow(place, offset), tools)
    return { ...source, nextBatch: () => this.#whileOpen(() => source.nextBatch()) }
  }

  #partitionOf(stream: string): number {
    return this.#topics.partitionOf(this.#topics.eventTopic, stream)
  }

  /** What the driver says in the terms of this port; what fails because the store closed says so. */
  async #whileOpen<T>(work: () => Promise<T>): Promise<T> {
    this.#checkOpen()
    try {
      return await work()
    } catch (error) {
      if (error instanceof DuologError && error.code !== 'ABORTED') throw error
      this.#checkOpen()
      throw toStoreError(error)
    }
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) throw storeClosed()
  }
}

function checkedOwner(owner: string): string {
  checkName('The owner', owner)
  return owner
}
