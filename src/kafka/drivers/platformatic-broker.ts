import { KafkaError } from '../driver.ts'
import type { FetchedBatches } from './fetch-answer.ts'
import {
  codeOf,
  type LowMetadata,
  type LowNewTopic,
  type LowOffsets,
  type LowTopicData,
  type RequestBroker,
  type Transactional,
} from './kafkajs-internals.ts'
import { type FetchRequest, fetchBatches } from './platformatic-fetch.ts'
import type { Connection, PlatformaticLibrary } from './platformatic-library.ts'

/*
 * One broker, request by request, through @platformatic/kafka's encoders. The versions are those every broker from
 * Kafka 2.5 to 4 speaks, so nothing is negotiated; with the later ones topics have ids instead of names.
 */

/** Sends one request on a connection of this broker; what it rejects with is a KafkaError. */
export type Send = <T>(request: (connection: Connection) => Promise<T>, timeoutMs?: number) => Promise<T>

export interface ClusterMetadata {
  readonly brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[]
  readonly controllerId: number
  readonly topics: readonly DescribedTopic[]
}

export interface DescribedTopic {
  readonly topic: string
  readonly flaw: KafkaError | undefined
  readonly partitions: LowMetadata['topicMetadata'][number]['partitionMetadata']
}

const ALL_REPLICAS = -1
const NO_REPLICA = -1
const NO_EPOCH = -1
/** Of offsets: while a transaction moves one, none is told. */
const STABLE = true
const CONSUMER = 'consumer'
const TOPIC = 2 as const
/** On top of how long the coordinator itself may let a joining member wait. */
const JOIN_GRACE_MS = 5000

type Request<M extends keyof RequestBroker> = Parameters<RequestBroker[M]>[0]

export class PlatformaticBroker implements RequestBroker {
  readonly #library: PlatformaticLibrary
  readonly #send: Send

  constructor(library: PlatformaticLibrary, send: Send) {
    this.#library = library
    this.#send = send
  }

  /** Topics that are missing or forbidden say so one by one, and take nothing from the others. */
  async clusterMetadata(topics: readonly string[]): Promise<ClusterMetadata> {
    const { metadataV9 } = this.#library
    const answer = await this.#send((to) =>
      metadataV9.api
        .async(to, [...topics], false, false, false)
        .catch(answerInError<PlatformaticLibrary['metadataV9']['parseResponse']>),
    )
    return {
      brokers: answer.brokers,
      controllerId: answer.controllerId,
      topics: answer.topics.map(({ name, errorCode, partitions }) => ({
        topic: name,
        flaw: errorCode === 0 ? undefined : this.#topicFlaw(name, errorCode),
        partitions: partitions.map(({ partitionIndex, leaderId, replicaNodes }) => ({
          partitionId: partitionIndex,
          leader: leaderId,
          replicas: replicaNodes,
        })),
      })),
    }
  }

  async metadata(topics: readonly string[]): Promise<LowMetadata> {
    const described = await this.clusterMetadata(topics)
    for (const { flaw } of described.topics) if (flaw !== undefined) throw flaw
    return {
      topicMetadata: described.topics.map(({ topic, partitions }) => ({ topic, partitionMetadata: partitions })),
    }
  }

  async findCoordinator({ groupId, coordinatorType }: { groupId: string; coordinatorType: 0 | 1 }) {
    const { coordinators } = await this.#send((to) =>
      this.#library.findCoordinatorV3.api.async(to, coordinatorType, [groupId]),
    )
    const [{ host, port } = { host: '', port: 0 }] = coordinators
    return { host, port }
  }

  fetch(request: FetchRequest): Promise<readonly FetchedBatches[]> {
    return this.#send((to) => fetchBatches(this.#library, to, request))
  }

  async listOffsets({ isolationLevel, topics }: Request<'listOffsets'>) {
    const wanted = topics.map(({ topic, partitions }) => ({
      name: topic,
      partitions: partitions.map(({ partition, timestamp }) => ({
        partitionIndex: partition,
        currentLeaderEpoch: NO_EPOCH,
        timestamp: BigInt(timestamp),
      })),
    }))
    const answer = await this.#send((to) =>
      this.#library.listOffsetsV5.api.async(to, NO_REPLICA, isolationLevel, wanted),
    )
    const responses = answer.topics.map(({ partitions }) => ({
      partitions: partitions.map(({ offset }) => ({ offset: String(offset) })),
    }))
    return { responses }
  }

  async produce(request: Request<'produce'>) {
    const { topicData, timeout, transactionalId } = request
    const sequences = new this.#library.NumericMap()
    const transactional = transactionalId !== undefined && { ...toProducer(request as Transactional), transactionalId }
    for (const { topic, partitions } of topicData) {
      for (const { partition, firstSequence = 0 } of partitions) sequences.set(`${topic}:${partition}`, firstSequence)
    }
    const answer = await this.#send(
      (to) =>
        this.#library.produceV8.api.async(to, ALL_REPLICAS, timeout, toMessages(topicData), {
          ...transactional,
          sequences,
        }),
      timeout + JOIN_GRACE_MS,
    )
    const topics = typeof answer === 'boolean' ? [] : answer.responses
    return {
      topics: topics.map(({ name, partitionResponses }) => ({
        topicName: name,
        partitions: partitionResponses.map(({ index, baseOffset }) => ({
          partition: index,
          baseOffset: String(baseOffset),
        })),
      })),
    }
  }

  async initProducerId({ transactionalId, transactionTimeout }: Request<'initProducerId'>) {
    const { producerId, producerEpoch } = await this.#send((to) =>
      this.#library.initProducerIdV2.api.async(to, transactionalId, transactionTimeout),
    )
    return { producerId: String(producerId), producerEpoch }
  }

  addPartitionsToTxn(request: Request<'addPartitionsToTxn'>) {
    const topics = request.topics.map(({ topic, partitions }) => ({ name: topic, partitions }))
    const { transactionalId } = request
    const transaction = { ...toProducer(request), transactionalId, topics, verifyOnly: false }
    return this.#send((to) => this.#library.addPartitionsToTxnV2.api.async(to, [transaction]))
  }

  addOffsetsToTxn({ groupId, ...request }: Request<'addOffsetsToTxn'>) {
    const { producerId, producerEpoch } = toProducer(request)
    return this.#send((to) =>
      this.#library.addOffsetsToTxnV2.api.async(to, request.transactionalId, producerId, producerEpoch, groupId),
    )
  }

  txnOffsetCommit({ groupId, topics, ...request }: Request<'txnOffsetCommit'>) {
    const { producerId, producerEpoch } = toProducer(request)
    const { transactionalId, generationId, memberId } = request
    const offsets = toOffsets(topics)
    return this.#send((to) =>
      this.#library.txnOffsetCommitV3.api.async(
        to,
        transactionalId,
        groupId,
        producerId,
        producerEpoch,
        generationId,
        memberId,
        null,
        offsets,
      ),
    )
  }

  endTxn({ transactionResult, ...request }: Request<'endTxn'>) {
    const { producerId, producerEpoch } = toProducer(request)
    return this.#send((to) =>
      this.#library.endTxnV2.api.async(to, request.transactionalId, producerId, producerEpoch, transactionResult),
    )
  }

  async joinGroup(request: Request<'joinGroup'>): ReturnType<RequestBroker['joinGroup']> {
    const { groupId, sessionTimeout, rebalanceTimeout, memberId, groupProtocols } = request
    const joined = await this.#send(
      (to) =>
        this.#library.joinGroupV5.api
          .async(to, groupId, sessionTimeout, rebalanceTimeout, memberId, null, CONSUMER, groupProtocols)
          .catch(answerInError<PlatformaticLibrary['joinGroupV5']['parseResponse']>),
      rebalanceTimeout + JOIN_GRACE_MS,
    )
    // A newcomer is given its name first, and joins by it: so none is left behind when the answer is lost.
    if (joined.errorCode === MEMBER_ID_REQUIRED) return this.joinGroup({ ...request, memberId: joined.memberId })
    if (joined.errorCode !== 0) throw this.#errorOf(joined.errorCode, `Group ${groupId}`)
    const members = joined.members.map(({ memberId, metadata }) => ({ memberId, memberMetadata: metadata }))
    return { generationId: joined.generationId, leaderId: joined.leader, memberId: joined.memberId, members }
  }

  async syncGroup({ groupId, generationId, memberId, groupAssignment }: Request<'syncGroup'>) {
    const assignments = groupAssignment.map(({ memberId, memberAssignment }) => ({
      memberId,
      assignment: memberAssignment,
    }))
    const { assignment } = await this.#send((to) =>
      this.#library.syncGroupV3.api.async(to, groupId, generationId, memberId, null, null, null, assignments),
    )
    return { memberAssignment: assignment }
  }

  heartbeat({ groupId, groupGenerationId, memberId }: Request<'heartbeat'>) {
    return this.#send((to) => this.#library.heartbeatV3.api.async(to, groupId, groupGenerationId, memberId, null))
  }

  leaveGroup({ groupId, memberId }: Request<'leaveGroup'>) {
    const members = [{ memberId, groupInstanceId: null }]
    return this.#send((to) => this.#library.leaveGroupV3.api.async(to, groupId, members))
  }

  async offsetFetch({ groupId, topics }: Request<'offsetFetch'>) {
    const wanted = topics.map(({ topic, partitions }) => ({
      name: topic,
      partitionIndexes: partitions.map(({ partition }) => partition),
    }))
    const group = { groupId, memberId: null, memberEpoch: NO_EPOCH, topics: wanted }
    const answer = await this.#send((to) => this.#library.offsetFetchV7.api.async(to, [group], STABLE))
    const responses = answer.topics.map(({ name, partitions }) => ({
      topic: name,
      partitions: partitions.map(({ partitionIndex, committedOffset }) => ({
        partition: partitionIndex,
        offset: String(committedOffset),
      })),
    }))
    return { responses }
  }

  offsetCommit({ groupId, groupGenerationId, memberId, topics }: Request<'offsetCommit'>) {
    const offsets = toOffsets(topics)
    return this.#send((to) =>
      this.#library.offsetCommitV7.api.async(to, groupId, groupGenerationId, memberId, null, offsets),
    )
  }

  createTopics({ topics, timeout }: Request<'createTopics'>) {
    return this.#send((to) => this.#library.createTopicsV5.api.async(to, topics.map(toNewTopic), timeout, false))
  }

  async describeConfigs({ resources }: Request<'describeConfigs'>) {
    const wanted = resources.map(({ name, configNames }) => ({
      resourceType: TOPIC,
      resourceName: name,
      configurationKeys: configNames ?? null,
    }))
    const { results } = await this.#send((to) => this.#library.describeConfigsV2.api.async(to, wanted, false, false))
    return {
      resources: results.map(({ resourceName, configs }) => ({
        resourceName,
        configEntries: configs.map(({ name, value, configSource }) => ({
          configName: name,
          configValue: value ?? null,
          configSource,
        })),
      })),
    }
  }

  alterConfigs({ resources }: Request<'alterConfigs'>) {
    const wanted = resources.map(({ name, configEntries }) => ({
      resourceType: TOPIC,
      resourceName: name,
      configs: configEntries,
    }))
    return this.#send((to) => this.#library.alterConfigsV2.api.async(to, wanted, false))
  }

  createPartitions({ topicPartitions, timeout }: Request<'createPartitions'>) {
    const wanted = topicPartitions.map(({ topic, count }) => ({ name: topic, count, assignments: null }))
    return this.#send((to) => this.#library.createPartitionsV2.api.async(to, wanted, timeout, false))
  }

  #topicFlaw(topic: string, errorCode: number): KafkaError {
    return this.#errorOf(errorCode, `Topic ${topic}`)
  }

  #errorOf(errorCode: number, about: string): KafkaError {
    const type = this.#library.protocolErrorsCodesById[errorCode] ?? `error ${errorCode}`
    return new KafkaError(codeOf(type), `${type}: ${about}.`, { type })
  }
}

const MEMBER_ID_REQUIRED = 79

/** What the library throws where an answer has an error anywhere; the answer itself is in it. */
function answerInError<F extends (...given: never[]) => unknown>(error: unknown): Awaited<ReturnType<F>> {
  const response = error instanceof Error && 'response' in error ? error.response : undefined
  if (response === undefined || response === null) throw error
  return response as Awaited<ReturnType<F>>
}

function toProducer({ producerId, producerEpoch }: Transactional): { producerId: bigint; producerEpoch: number } {
  return { producerId: BigInt(producerId), producerEpoch }
}

function toMessages(topicData: readonly LowTopicData[]) {
  return topicData.flatMap(({ topic, partitions }) =>
    partitions.flatMap(({ partition, messages }) =>
      messages.map(({ key, value, headers }) => ({
        topic,
        partition,
        ...(key !== null && { key }),
        value: value as Buffer, // null is written as null, whatever the type says
        headers: new Map(Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)])),
      })),
    ),
  )
}

function toOffsets(topics: readonly LowOffsets[]) {
  return topics.map(({ topic, partitions }) => ({
    name: topic,
    partitions: partitions.map(({ partition, offset }) => ({
      partitionIndex: partition,
      committedOffset: BigInt(offset),
      committedLeaderEpoch: NO_EPOCH,
      committedMetadata: '',
    })),
  }))
}

function toNewTopic({ topic, numPartitions, replicationFactor, configEntries }: LowNewTopic) {
  return { name: topic, numPartitions, replicationFactor, assignments: [], configs: configEntries }
}
