import type { TopicDescription } from '../../kafka/driver.ts'
import { flawOfRetention } from '../../kafka/topics.ts'
import type { DefinedTopic } from './topic-definitions.ts'

/*
 * From what is defined and what is there to what has to be done. Pure.
 *
 * T1 Nothing that is planned loses a record or parts a stream from its past; where only that would help, the plan refuses
 *    and says why.
 * T2 After a plan was carried out, the next one is empty.
 */

export type TopicAction =
  | { readonly kind: 'create' }
  | { readonly kind: 'add-partitions'; readonly from: number; readonly to: number }
  | { readonly kind: 'set-config'; readonly name: string; readonly from: string | undefined; readonly to: string }

/** One topic: what to do, what to know, and what stands in the way. */
export interface TopicStep {
  readonly topic: string
  readonly role: DefinedTopic['role']
  readonly partitions: number
  /** As it is, or as it will be made; absent: the broker's default. */
  readonly replicationFactor?: number
  readonly actions: readonly TopicAction[]
  readonly warnings: readonly string[]
  /** Not empty: nothing at all is carried out. */
  readonly refusals: readonly string[]
}

export interface TopicPlan {
  readonly topics: readonly TopicStep[]
  /** Something to do. */
  readonly changes: number
  readonly refused: number
}

export function planTopics(
  defined: readonly DefinedTopic[],
  existing: ReadonlyMap<string, TopicDescription>,
): TopicPlan {
  const topics = defined.map((topic) => {
    const found = existing.get(topic.topic)
    return found === undefined ? creation(topic) : adjustment(topic, found)
  })
  return {
    topics,
    changes: topics.reduce((sum, { actions }) => sum + actions.length, 0),
    refused: topics.filter(({ refusals }) => refusals.length > 0).length,
  }
}

function creation({ topic, role, partitions, replicationFactor }: DefinedTopic): TopicStep {
  return {
    topic,
    role,
    partitions,
    ...(replicationFactor !== undefined && { replicationFactor }),
    actions: [{ kind: 'create' }],
    warnings: replicaWarnings(replicationFactor),
    refusals: [],
  }
}

function adjustment(wanted: DefinedTopic, found: TopicDescription): TopicStep {
  const { topic, role, partitions } = wanted
  return {
    topic,
    role,
    partitions: found.partitions,
    replicationFactor: found.replicationFactor,
    actions: [...morePartitions(wanted, found), ...configChanges(wanted, found)],
    warnings: warningsOf(wanted, found),
    refusals: [
      ...partitionRefusals(role, found.partitions, partitions),
      ...replicationRefusals(wanted, found),
      ...configRefusals(wanted, found),
    ],
  }
}

function morePartitions({ role, partitions }: DefinedTopic, found: TopicDescription): readonly TopicAction[] {
  if (found.partitions >= partitions || KEEPS_ITS_PARTITIONS.has(role)) return []
  return [{ kind: 'add-partitions', from: found.partitions, to: partitions }]
}

/** A key of these must stay where it is: a stream its versions, a snapshot its predecessor, a blob its place. */
const KEEPS_ITS_PARTITIONS: ReadonlySet<DefinedTopic['role']> = new Set(['events', 'snapshots', 'presence'])

function partitionRefusals(role: DefinedTopic['role'], is: number, wanted: number): readonly string[] {
  if (is > wanted) {
    return [
      `it has ${is} partitions, ${wanted} are defined: Kafka takes none away. Define ${is}, or make another topic`,
    ]
  }
  if (is === wanted || !KEEPS_ITS_PARTITIONS.has(role)) return []
  const why = REASONS[role]
  return [`it has ${is} partitions, ${wanted} are defined: ${why}`]
}

const REASONS: Partial<Record<DefinedTopic['role'], string>> = {
  events:
    'more partitions part streams from their past, since a name decides its partition by their number. Define as many as ' +
    'there are, or begin a log with another prefix and copy every stream into it in order',
  snapshots:
    'snapshots would be looked for in the wrong place. Delete the topic: it is made anew, snapshots are no truth',
  presence: 'heartbeats are read from one partition. Delete the topic: it is made anew',
}

function replicationRefusals({ replicationFactor }: DefinedTopic, found: TopicDescription): readonly string[] {
  if (replicationFactor === undefined || found.replicationFactor >= replicationFactor) return []
  const { replicationFactor: is } = found
  return [
    `it has ${is} ${is === 1 ? 'replica' : 'replicas'}, ${replicationFactor} are wanted: move it with kafka-reassign-partitions, then check again`,
  ]
}

/** Where the value in force may be larger than the defined one. */
const AT_LEAST: ReadonlySet<string> = new Set(['min.insync.replicas', 'max.message.bytes'])

/** Only of topics that are made: who has changed it since, wanted that. */
const LEFT_ALONE: ReadonlySet<string> = new Set(['compression.type'])

function configChanges(wanted: DefinedTopic, found: TopicDescription): readonly TopicAction[] {
  return Object.entries({ ...wanted.config, ...MINIMUMS }).flatMap(([name, to]) => {
    const from = found.config.get(name)?.value
    if (LEFT_ALONE.has(name)) return []
    return fits(name, from, to) ? [] : [{ kind: 'set-config', name, from, to } as const]
  })
}

/** Kafka's own default: what a store writes in one batch fits. Never lowered. */
const MINIMUMS = { 'max.message.bytes': '1048588' }

function fits(name: string, is: string | undefined, wanted: string): boolean {
  if (is === undefined) return false
  return AT_LEAST.has(name) ? Number(is) >= Number(wanted) : is === wanted
}

/** A topic of messages that somebody has compacted keeps the last of each key: switching over would delete those. */
function configRefusals({ role }: DefinedTopic, { cleanupPolicy }: TopicDescription): readonly string[] {
  if (role !== 'messages' || cleanupPolicy === 'delete') return []
  return [
    `it has cleanup.policy=${cleanupPolicy}: going over to delete would drop old records it still keeps. Change it by hand if that is what you want`,
  ]
}

/** Of a topic that is to be made. */
function replicaWarnings(replicationFactor: number | undefined): readonly string[] {
  if (replicationFactor === undefined) return [BROKERS_DEFAULT]
  return replicationFactor === 1 ? [ONE_REPLICA] : []
}

const BROKERS_DEFAULT =
  "replication is left to the brokers' default, which may be 1: say how many copies, 3 where records must outlive a broker"
const ONE_REPLICA = 'replication 1: a broker that is lost for good takes its records with it'

const ZSTD = 'compression.type=zstd: only processes on Node 22.15 or later can read it, others stand still and say so'

function warningsOf({ role, config }: DefinedTopic, found: TopicDescription): readonly string[] {
  const { cleanupPolicy, replicationFactor } = found
  const retention = role === 'events' ? flawOfRetention(found) : undefined
  const compacted = role === 'events' && cleanupPolicy.includes('compact')
  const inSync = Number(config['min.insync.replicas'] ?? found.config.get('min.insync.replicas')?.value ?? 1)
  return [
    ...(replicationFactor === 1 ? [ONE_REPLICA] : []),
    ...(retention === undefined ? [] : [`it ${retention}. What is gone already does not come back`]),
    ...(compacted
      ? [`it is compacted: of each stream only the last event is kept. What is gone already does not come back`]
      : []),
    ...(found.config.get('compression.type')?.value === 'zstd' ? [ZSTD] : []),
    ...(inSync > replicationFactor
      ? [`min.insync.replicas is ${inSync} with ${replicationFactor} replicas: no append can succeed`]
      : []),
  ]
}
