import { setTimeout as sleep } from 'node:timers/promises'
import { reach } from '../../core/reach.ts'
import type {
  DriverRecord,
  OffsetsToCommit,
  PlacedBatch,
  TopicPartition,
  Transaction,
  TransactionalWriter,
  TransactionOutcome,
  WriterOptions,
} from '../driver.ts'
import { KafkaError } from '../driver.ts'
import { bytesOf, mostBytesOf } from '../encode-batch.ts'
import { groupBy } from '../group-by.ts'
import { type Asked, nameDenied } from './access-denied.ts'
import { membershipOf } from './group-identity.ts'
import {
  type LowTopicData,
  leaderOf,
  listedOffset,
  type RequestBroker,
  type RequestCluster,
  type Transactional,
  toKafkaError,
} from './kafkajs-internals.ts'

/*
 * The transactional producer of one id, request by request.
 *
 * D3 The commit request is sent only after every record of the transaction was acknowledged. So whatever fails before
 *    it is aborted for certain (this epoch never commits it: any later one begins by finishing it), and whatever fails
 *    after it is unknown, with the offsets at which the log will tell.
 * D4 Every request carries the epoch of the last `init`. Once anyone else initialises the id, the coordinator and the
 *    partition leaders refuse them, delayed ones too.
 * D5 The end of a partition is what ListOffsets says: Kafka's leaders answer it, other than a fetch, only when their high
 *    watermark has reached the beginning of their own epoch (KIP-207).
 */

/** The first is short: the markers of the transaction before this one are all but there. */
const RETRY_PAUSES_MS = [1, 1, 2]
const LONGEST_PAUSE_MS = 3
/** A topic that was just made is not known to every broker; one that was deleted never will be. */
const NEW_TOPIC_PATIENCE_MS = 1000
const COORDINATOR = 1
const GROUP = 0

export class KafkajsWriter implements TransactionalWriter {
  readonly #cluster: RequestCluster
  readonly #options: WriterOptions
  #topics: ReadonlySet<string> = new Set()
  #stale = false
  #producer: Transactional | undefined
  #coordinator: RequestBroker | undefined
  #groupCoordinators = new Map<string, RequestBroker>()
  #sequences = new Map<string, number>()
  /** D6 Of the transaction at hand. */
  #fencedOffsets: OffsetsToCommit | undefined

  constructor(cluster: RequestCluster, options: WriterOptions) {
    this.#cluster = cluster
    this.#options = options
  }

  async init(): Promise<void> {
    const { transactionalId, transactionTimeoutMs } = this.#options
    this.#producer = undefined
    this.#sequences = new Map()
    try {
      await this.#cluster.connect()
      const { producerId, producerEpoch } = await this.#persist(transactionTimeoutMs, async () => {
        const coordinator = await this.#findCoordinator()
        return coordinator.initProducerId({ transactionalId, transactionTimeout: transactionTimeoutMs })
      })
      this.#producer = { transactionalId, producerId, producerEpoch }
    } catch (error) {
      this.#forget()
      throw nameDenied(toKafkaError(error), { transactionalId })
    }
  }

  /** D5 */
  async endOf(place: TopicPartition): Promise<number> {
    const { topic } = place
    try {
      return await this.#persist(this.#options.transactionTimeoutMs, async () => {
        await this.#know([{ topic }])
        return listedOffset(this.#cluster, place, 'written')
      })
    } catch (error) {
      this.#stale = true
      throw nameDenied(toKafkaError(error), { topics: [topic], topicOperations: 'Describe' })
    }
  }

  async transact(transaction: Transaction): Promise<TransactionOutcome> {
    this.#fencedOffsets = undefined
    let placed: readonly PlacedBatch[] | undefined
    try {
      const producer = this.#producer
      if (producer === undefined) throw new KafkaError('FENCED', 'The writer was not initialised.')
      const written = await this.#write(producer, transaction)
      if (transaction.mayCommit?.(written) === false) throw new KafkaError('FENCED', 'It may not be committed there.')
      reach('kafka.writer.produced')
      placed = written
      await this.#end(producer, true)
      return { kind: 'committed', placed }
    } catch (error) {
      const known = nameDenied(toKafkaError(error), this.#askedBy(transaction))
      if (isFenced(known)) this.#producer = undefined
      else await this.#comeApart(placed === undefined)
      if (placed !== undefined) return { kind: 'unknown', error: known, placed }
      return { kind: 'aborted', error: known, fenced: this.#fencedOffsets }
    }
  }

  /** What is known of the cluster may be what was wrong. */
  async #comeApart(abort: boolean): Promise<void> {
    const producer = this.#producer
    this.#forget()
    this.#stale = true
    if (abort) await this.#tryAbort(producer)
  }

  #askedBy({ records, offsets }: Transaction): Asked {
    const { transactionalId } = this.#options
    const topics = records.map(({ topic }) => topic)
    return { transactionalId, topics, topicOperations: 'Write and Describe', groups: offsets.map(({ group }) => group) }
  }

  close(): Promise<void> {
    this.#forget()
    return this.#cluster.disconnect()
  }

  async #write(producer: Transactional, { records, offsets }: Transaction): Promise<readonly PlacedBatch[]> {
    await this.#know(records)
    for (const { topic, partition } of records) leaderOf(this.#cluster, topic, partition)
    await this.#addPartitions(producer, records)
    const sent = offsets.map((group) => this.#sendOffsets(producer, group))
    const [placed] = await allAnswered([this.#produce(producer, records), allAnswered(sent)])
    return placed
  }

  /** After a failure who leads is asked again: nothing else would tell of another leader. */
  async #know(records: readonly { readonly topic: string }[]): Promise<void> {
    const known = this.#stale ? [] : this.#topics // a topic that was deleted meanwhile is not asked for again
    const topics = new Set([...known, ...records.map(({ topic }) => topic)])
    if (!this.#stale && topics.size === this.#topics.size) return
    await this.#cluster.addMultipleTargetTopics([...topics])
    if (this.#stale) await this.#cluster.refreshMetadata()
    this.#topics = topics // only now: a topic that was missing is to be asked for again
    this.#stale = false
  }

  /** Also waits for the markers of the transaction before this one, hence the patience with CONCURRENT_TRANSACTIONS. */
  async #addPartitions(producer: Transactional, records: readonly DriverRecord[]): Promise<void> {
    if (records.length === 0) return
    const topics = [...groupBy(records, ({ topic }) => topic)].map(([topic, group]) => ({
      topic,
      partitions: [...new Set(group.map(({ partition }) => partition))],
    }))
    await this.#persist(this.#options.transactionTimeoutMs, async () =>
      (await this.#findCoordinator()).addPartitionsToTxn({ ...producer, topics }),
    )
  }

  async #produce(producer: Transactional, records: readonly DriverRecord[]): Promise<readonly PlacedBatch[]> {
    const byLeader = groupBy(records, ({ topic, partition }) => String(leaderOf(this.#cluster, topic, partition)))
    return (await allAnswered([...byLeader].map(([nodeId, group]) => this.#produceTo(nodeId, producer, group)))).flat()
  }

  /**
   * In pieces below the broker's usual limit of a batch: a large append is one transaction, not one request. While the broker
   * writes one the next are on their way; it takes them in their order.
   */
  async #produceTo(nodeId: string, producer: Transactional, records: readonly DriverRecord[]): Promise<PlacedBatch[]> {
    const broker = await this.#cluster.findBroker({ nodeId })
    const pieces = inPieces(records)
    const placed: PlacedBatch[] = []
    while (pieces.length > 0) {
      const sent = pieces.splice(0, MAX_PIECES_UNDER_WAY).map((piece) => this.#producePiece(broker, producer, piece))
      for (const batches of await allAnswered(sent)) placed.push(...batches)
    }
    return placed
  }

  async #producePiece(broker: RequestBroker, producer: Transactional, piece: readonly DriverRecord[]) {
    const topicData = this.#sequenced(toTopicData(piece))
    const timeout = this.#options.transactionTimeoutMs
    const { topics } = await broker.produce({ ...producer, topicData, acks: -1, timeout })
    return toPlaced(topics, topicData)
  }

  #sequenced(topicData: readonly LowTopicData[]): LowTopicData[] {
    return topicData.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ partition, messages }) => {
        const firstSequence = this.#sequences.get(`${topic}/${partition}`) ?? 0
        this.#sequences.set(`${topic}/${partition}`, (firstSequence + messages.length) % 2 ** 31)
        return { partition, firstSequence, messages }
      }),
    }))
  }

  async #sendOffsets(producer: Transactional, toCommit: OffsetsToCommit): Promise<void> {
    const { group: groupId } = toCommit
    const timeoutMs = this.#options.transactionTimeoutMs
    await this.#persist(timeoutMs, async () =>
      (await this.#findCoordinator()).addOffsetsToTxn({ ...producer, groupId }),
    )
    try {
      await this.#persist(timeoutMs, () => this.#commitOffsets(producer, toCommit))
    } catch (error) {
      if (isOfMember(toKafkaError(error))) this.#fencedOffsets = toCommit
      throw error
    }
  }

  async #commitOffsets(producer: Transactional, { group: groupId, identity, offsets }: OffsetsToCommit) {
    const topics = [...groupBy(offsets, ({ topic }) => topic)].map(([topic, places]) => ({
      topic,
      partitions: places.map(({ partition, offset }) => ({ partition, offset: String(offset) })),
    }))
    const coordinator = await this.#findGroupCoordinator(groupId)
    return coordinator.txnOffsetCommit({ ...producer, ...membershipOf(identity), groupId, topics })
  }

  async #findGroupCoordinator(groupId: string): Promise<RequestBroker> {
    const known = this.#groupCoordinators.get(groupId)
    const broker = known ?? (await this.#cluster.findGroupCoordinator({ groupId, coordinatorType: GROUP }))
    this.#groupCoordinators.set(groupId, broker)
    return broker
  }

  /** Asking twice to commit with one epoch is asking once, so a lost answer is asked for again. */
  async #end(producer: Transactional, commit: boolean): Promise<void> {
    await this.#persist(this.#options.transactionTimeoutMs, async () =>
      (await this.#findCoordinator()).endTxn({ ...producer, transactionResult: commit }),
    )
  }

  /** Spares whoever comes next the wait for the transaction's time-out; correctness does not need it. */
  async #tryAbort(producer: Transactional | undefined): Promise<void> {
    if (producer === undefined) return
    try {
      await (await this.#findCoordinator()).endTxn({ ...producer, transactionResult: false })
    } catch {
      this.#forgetCoordinators() // the next init finishes it
    }
  }

  async #findCoordinator(): Promise<RequestBroker> {
    this.#coordinator ??= await this.#cluster.findGroupCoordinator({
      groupId: this.#options.transactionalId,
      coordinatorType: COORDINATOR,
    })
    return this.#coordinator
  }

  /** Repeats what a passing state of the cluster refused, until it works, is refused for good, or the time is over. */
  async #persist<T>(timeoutMs: number, request: () => Promise<T>): Promise<T> {
    const begunMs = performance.now()
    for (let attempt = 0; ; attempt++) {
      try {
        return await request()
      } catch (error) {
        const { code, type } = toKafkaError(error)
        const patienceMs = type === 'UNKNOWN_TOPIC_OR_PARTITION' ? NEW_TOPIC_PATIENCE_MS : timeoutMs
        if (code !== 'UNAVAILABLE' || performance.now() - begunMs > patienceMs) throw error
        if (type !== 'CONCURRENT_TRANSACTIONS') await this.#reconnect()
        await sleep(RETRY_PAUSES_MS[attempt] ?? LONGEST_PAUSE_MS)
      }
    }
  }

  async #reconnect(): Promise<void> {
    this.#forgetCoordinators()
    await sleep(50)
    await this.#cluster
      .connect()
      .then(() => this.#cluster.refreshMetadata())
      .catch(() => {})
  }

  #forget(): void {
    this.#producer = undefined
    this.#forgetCoordinators()
    this.#sequences = new Map()
  }

  #forgetCoordinators(): void {
    this.#coordinator = undefined
    this.#groupCoordinators.clear()
  }
}

/**
 * By another `init`, which has finished what was open: nothing is left to abort. Who said so is who is to be asked, so the next
 * `init` goes to the same coordinator and asks nobody who leads.
 */
function isFenced({ type }: KafkaError): boolean {
  return type === 'INVALID_PRODUCER_EPOCH' || type === 'PRODUCER_FENCED'
}

/** Of a member that is none any more, or of an earlier generation. */
function isOfMember({ type }: KafkaError): boolean {
  return type === 'ILLEGAL_GENERATION' || type === 'UNKNOWN_MEMBER_ID'
}

/** All must have answered before anything is decided: a late one must not land in the next transaction. */
async function allAnswered<T extends readonly unknown[]>(
  requests: {
    readonly [N in keyof T]: Promise<T[N]>
  },
): Promise<T> {
  const settled = await Promise.allSettled(requests)
  return settled.map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  }) as unknown as T
}

/** kafkajs's form of records: by topic, then by partition, in their order. */
export function toTopicData(records: readonly DriverRecord[]): LowTopicData[] {
  return [...groupBy(records, ({ topic }) => topic)].map(([topic, ofTopic]) => ({
    topic,
    partitions: [...groupBy(ofTopic, ({ partition }) => String(partition))].map(([partition, group]) => ({
      partition: Number(partition),
      messages: group.map(({ key, value, headers }) => ({ key, value, headers })),
    })),
  }))
}

const MAX_PIECE_BYTES = 700 * 1024
/** The broker knows a producer's sequence numbers of five batches. */
const MAX_PIECES_UNDER_WAY = 5

function inPieces(records: readonly DriverRecord[]): DriverRecord[][] {
  if (fitTogether(records)) return [[...records]]
  const pieces: DriverRecord[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const record of records) {
    const size = bytesOf(record)
    bytes += size
    if (bytes <= MAX_PIECE_BYTES) {
      pieces[pieces.length - 1]?.push(record)
    } else {
      pieces.push([record])
      bytes = size
    }
  }
  return pieces
}

/** For certain, and without counting the bytes of each text. */
function fitTogether(records: readonly DriverRecord[]): boolean {
  let bytes = 0
  for (const record of records) {
    bytes += mostBytesOf(record)
    if (bytes > MAX_PIECE_BYTES) return false
  }
  return records.length > 0
}

type Produced = Awaited<ReturnType<RequestBroker['produce']>>['topics']

function toPlaced(topics: Produced, topicData: readonly LowTopicData[]): PlacedBatch[] {
  return topics.flatMap(({ topicName: topic, partitions }) =>
    partitions.map(({ partition, baseOffset }) => {
      const sent = topicData
        .find((data) => data.topic === topic)
        ?.partitions.find((data) => data.partition === partition)
      const first = Number(baseOffset)
      return { topic, partition, baseOffset: first, lastOffset: first + (sent?.messages.length ?? 1) - 1 }
    }),
  )
}
