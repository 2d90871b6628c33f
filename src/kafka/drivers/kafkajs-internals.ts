import { messageOf } from '../../core/message-of.ts'
import { KafkaError, type KafkaErrorCode, type PartitionEnd, type TopicPartition } from '../driver.ts'
import type { FetchAnswer } from './fetch-answer.ts'

/*
 * The shapes of kafkajs 2.2.4 below its public surface: its cluster and broker classes speak the protocol request by
 * request, which its producer and consumer hide (no manual fetch, no init without a transaction, no last stable
 * offset). 2.2.4 is its last release and our exact version, and these classes are reached through its own client.
 */

/** What writing, membership and administration ask of a cluster: any library that can send these requests serves. */
export interface RequestCluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  refreshMetadata(): Promise<void>
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>
  findBroker(options: { nodeId: number | string }): Promise<RequestBroker>
  findControllerBroker(): Promise<RequestBroker>
  findGroupCoordinator(options: { groupId: string; coordinatorType: 0 | 1 }): Promise<RequestBroker>
  findTopicPartitionMetadata(topic: string): readonly { partitionId: number; leader: number }[]
}

export type RequestBroker = Omit<LowBroker, 'fetch'>

export interface LowCluster extends RequestCluster {
  readonly brokerPool: LowBrokerPool
  readonly targetTopics: Set<string>
  findBroker(options: { nodeId: number | string }): Promise<LowBroker>
}

export interface LowBrokerPool {
  seedBroker?: { connectionPool: { pool: readonly LowConnection[] } }
  createSeedBroker(): Promise<void>
  refreshMetadata(topics: readonly string[]): Promise<void>
  findConnectedBroker(): Promise<LowBroker>
}

export interface LowConnection {
  readonly broker: string
  readonly requestQueue: RequestQueue
  readonly connectionTimeout: number
  readonly requestTimeout: number
  readonly connectionStatus: 'connected' | 'disconnecting' | 'disconnected'
  readonly socket?: { readonly destroyed: boolean; unref: () => unknown; destroy(): unknown }
  readonly authHandlers: { onError(): void } | null
  /** What has arrived of an answer. */
  chunks: readonly Buffer[]
  bytesBuffered: number
  bytesNeeded: number
  isConnected(): boolean
  connect(): Promise<boolean>
  disconnect(): Promise<boolean>
  authenticate(): Promise<void>
  send(call: { readonly requestTimeout?: number | null }): Promise<unknown>
  failIfNotConnected(): void
  rejectRequests(error: Error): void
}

export interface RequestQueue {
  pending: readonly unknown[]
  throttledUntil: number
  scheduleCheckPendingRequests(): void
}

export interface LowMetadata {
  readonly topicMetadata: readonly {
    readonly topic: string
    readonly partitionMetadata: readonly {
      readonly partitionId: number
      readonly leader: number
      readonly replicas: readonly number[]
    }[]
  }[]
}

interface Producer {
  readonly producerId: string
  readonly producerEpoch: number
}

export type Transactional = Producer & { readonly transactionalId: string }

export interface LowBroker {
  metadata(topics: readonly string[]): Promise<LowMetadata>
  fetch(request: {
    isolationLevel: 0 | 1
    maxWaitTime: number
    minBytes: number
    maxBytes: number
    topics: { topic: string; partitions: { partition: number; fetchOffset: string; maxBytes: number }[] }[]
    // As kafkajs-fetch.ts decodes it.
  }): Promise<FetchAnswer>
  listOffsets(request: {
    isolationLevel: 0 | 1
    topics: { topic: string; partitions: { partition: number; timestamp: number }[] }[]
  }): Promise<{ responses: readonly { partitions: readonly { offset: string }[] }[] }>
  produce(
    request: {
      topicData: LowTopicData[]
      acks: -1
      timeout: number
    } & Partial<Transactional>,
  ): Promise<{
    topics: readonly { topicName: string; partitions: readonly { partition: number; baseOffset: string }[] }[]
  }>
  initProducerId(request: { transactionalId: string; transactionTimeout: number }): Promise<Producer>
  addPartitionsToTxn(request: Transactional & { topics: { topic: string; partitions: number[] }[] }): Promise<unknown>
  addOffsetsToTxn(request: Transactional & { groupId: string }): Promise<unknown>
  txnOffsetCommit(
    request: Transactional & { groupId: string; generationId: number; memberId: string; topics: LowOffsets[] },
  ): Promise<unknown>
  endTxn(request: Transactional & { transactionResult: boolean }): Promise<unknown>
  joinGroup(request: {
    groupId: string
    sessionTimeout: number
    rebalanceTimeout: number
    memberId: string
    groupProtocols: { name: string; metadata: Buffer }[]
  }): Promise<{
    generationId: number
    leaderId: string
    memberId: string
    members: readonly { memberId: string; memberMetadata: Buffer }[]
  }>
  syncGroup(request: {
    groupId: string
    generationId: number
    memberId: string
    groupAssignment: { memberId: string; memberAssignment: Buffer }[]
  }): Promise<{ memberAssignment: Buffer }>
  heartbeat(request: { groupId: string; groupGenerationId: number; memberId: string }): Promise<unknown>
  leaveGroup(request: { groupId: string; memberId: string }): Promise<unknown>
  offsetFetch(request: {
    groupId: string
    topics: { topic: string; partitions: { partition: number }[] }[]
  }): Promise<{ responses: readonly { topic: string; partitions: readonly { partition: number; offset: string }[] }[] }>
  offsetCommit(request: {
    groupId: string
    groupGenerationId: number
    memberId: string
    topics: LowOffsets[]
  }): Promise<unknown>
  createTopics(request: { topics: LowNewTopic[]; timeout: number }): Promise<unknown>
  /** Without names: all of them. `configSource` 1: set on the topic itself. */
  describeConfigs(request: { resources: { type: 2; name: string; configNames?: string[] }[] }): Promise<{
    resources: readonly {
      resourceName: string
      configEntries: readonly { configName: string; configValue: string | null; configSource: number }[]
    }[]
  }>
  /** Puts these configs in the place of all the topic had. */
  alterConfigs(request: {
    resources: { type: 2; name: string; configEntries: { name: string; value: string }[] }[]
  }): Promise<unknown>
  createPartitions(request: { topicPartitions: { topic: string; count: number }[]; timeout: number }): Promise<unknown>
}

export interface LowNewTopic {
  topic: string
  numPartitions: number
  replicationFactor: number
  configEntries: { name: string; value: string }[]
}

export interface LowOffsets {
  topic: string
  partitions: { partition: number; offset: string }[]
}

export interface LowMessage {
  key: Buffer | null
  value: Buffer | null
  headers: Readonly<Record<string, string | Buffer>>
}

export interface LowTopicData {
  topic: string
  partitions: { partition: number; firstSequence?: number; messages: LowMessage[] }[]
}

/** Kafka's own name of what went wrong, wherever kafkajs wrapped it. */
export function typeOf(error: unknown): string | undefined {
  let current: unknown = error
  for (let depth = 0; depth < 6 && current instanceof Error; depth++) {
    if (current.message.includes('error code 90')) return 'PRODUCER_FENCED' // the one kafkajs has no name for
    if (current.name === 'KafkaJSSASLAuthenticationError') return 'SASL_AUTHENTICATION_FAILED'
    if ('type' in current && typeof current.type === 'string') return current.type
    current = innerOf(current)
  }
  return undefined
}

function innerOf(error: Error): unknown {
  if ('originalError' in error) return error.originalError
  return 'errors' in error && Array.isArray(error.errors) ? error.errors[0] : error.cause
}

/**
 * A broker's answer that means "not I", "not yet": the same request may succeed elsewhere or later. Some errors have two
 * names, kafkajs's and Kafka's.
 */
const PASSING = new Set([
  'CONCURRENT_TRANSACTIONS',
  'NOT_COORDINATOR',
  'NOT_COORDINATOR_FOR_GROUP',
  'COORDINATOR_NOT_AVAILABLE',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'GROUP_LOAD_IN_PROGRESS',
  'NOT_LEADER_OR_FOLLOWER',
  'NOT_LEADER_FOR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'REPLICA_NOT_AVAILABLE',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'NETWORK_EXCEPTION',
  'REQUEST_TIMED_OUT',
  'NOT_ENOUGH_REPLICAS',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'UNSTABLE_OFFSET_COMMIT',
  'OFFSET_NOT_AVAILABLE',
  'KAFKA_STORAGE_ERROR',
  'THROTTLING_QUOTA_EXCEEDED',
  'NOT_CONTROLLER',
  'BROKER_NOT_AVAILABLE',
  'PREFERRED_LEADER_NOT_AVAILABLE',
])

const FENCING = new Set([
  'INVALID_PRODUCER_EPOCH',
  'PRODUCER_FENCED',
  'INVALID_PRODUCER_ID_MAPPING',
  'TRANSACTION_COORDINATOR_FENCED',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'REBALANCE_IN_PROGRESS',
  'FENCED_INSTANCE_ID',
  'UNKNOWN_PRODUCER_ID',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'INVALID_TXN_STATE',
  'TRANSACTION_ABORTABLE',
])

export function toKafkaError(error: unknown): KafkaError {
  if (error instanceof KafkaError) return error
  const type = typeOf(error)
  const message = messageOf(error)
  return new KafkaError(codeOf(type), type === undefined ? message : `${type}: ${message}`, { type, cause: error })
}

/** What Kafka's name of an error means to whoever asked; one without a name is of the network. */
export function codeOf(type: string | undefined): KafkaErrorCode {
  if (type === undefined || PASSING.has(type)) return 'UNAVAILABLE'
  if (type === 'OFFSET_OUT_OF_RANGE') return 'OFFSET_OUT_OF_RANGE'
  return FENCING.has(type) ? 'FENCED' : 'REFUSED'
}

const TIMESTAMPS = { earliest: -2, latest: -1, written: -1 } as const
const READ_UNCOMMITTED = 0
const READ_COMMITTED = 1

/** Asked of who leads by the metadata at hand. */
export async function listedOffset(
  cluster: RequestCluster,
  { topic, partition }: TopicPartition,
  end: PartitionEnd,
): Promise<number> {
  const broker = await cluster.findBroker({ nodeId: leaderOf(cluster, topic, partition) })
  const { responses } = await broker.listOffsets({
    isolationLevel: end === 'written' ? READ_UNCOMMITTED : READ_COMMITTED,
    topics: [{ topic, partitions: [{ partition, timestamp: TIMESTAMPS[end] }] }],
  })
  return Number(responses[0]?.partitions[0]?.offset ?? 0)
}

/** The node that leads a partition, by the metadata at hand. */
export function leaderOf(cluster: RequestCluster, topic: string, partition: number): number {
  const found = cluster.findTopicPartitionMetadata(topic).find(({ partitionId }) => partitionId === partition)
  if (found === undefined || found.leader < 0) {
    throw new KafkaError('UNAVAILABLE', `Partition ${partition} of topic "${topic}" has no leader right now.`, {
      type: 'LEADER_NOT_AVAILABLE',
    })
  }
  return found.leader
}
