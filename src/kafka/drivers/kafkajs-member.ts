import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../../core/logger.ts'
import type { FetchPosition, GroupMember, MemberOptions, TopicPartition } from '../driver.ts'
import { groupBy } from '../group-by.ts'
import { nameDenied } from './access-denied.ts'
import { assignRoundRobin } from './group-assignment.ts'
import { identityOf } from './group-identity.ts'
import { type LowOffsets, type RequestBroker, type RequestCluster, toKafkaError } from './kafkajs-internals.ts'
import { decodeAssignment, decodeSubscription, encodeAssignment, encodeSubscription } from './member-protocol.ts'

/*
 * Membership in a consumer group (the classic protocol, eager), apart from reading and handling.
 *
 * P9 Heartbeats go out on their own clock, whatever the handlers do; only a member that does not finish its handlers
 *    within `rebalanceTimeoutMs` of a rebalance loses its place.
 * P6 A partition is given back (its handler has ended) before the member asks for its next assignment, and a commit
 *    carries the generation it was assigned in, so an owner of yesterday commits nothing.
 */

const PROTOCOL = 'duolog-round-robin'
const RETRY_PAUSE_MS = 200

interface Membership {
  readonly coordinator: RequestBroker
  readonly memberId: string
  readonly generationId: number
}

export interface MemberTools {
  readonly partitionsOf: (topic: string) => Promise<number>
  readonly logger: Logger
}

export class KafkajsMember implements GroupMember {
  readonly joined: Promise<void>
  readonly #cluster: RequestCluster
  readonly #options: MemberOptions
  readonly #tools: MemberTools
  readonly #stop = new AbortController()
  readonly #ended: Promise<void>
  #memberId = ''
  #membership: Membership | undefined
  /** Said last: it is asked again and again, and told once. */
  #refusal: string | undefined
  #resolveJoined: () => void = () => {}

  constructor(cluster: RequestCluster, options: MemberOptions, tools: MemberTools) {
    this.#cluster = cluster
    this.#options = options
    this.#tools = tools
    this.joined = new Promise((resolve) => {
      this.#resolveJoined = resolve
    })
    this.#ended = this.#run()
  }

  get identity(): string {
    return this.#membership === undefined ? `${this.#memberId}/none` : identityOf(this.#membership)
  }

  async committed(places: readonly TopicPartition[]): Promise<readonly (FetchPosition | undefined)[]> {
    const topics = toTopics(places, ({ partition }) => ({ partition }))
    const { coordinator } = this.#current()
    const { responses } = await withKafkaError(() => coordinator.offsetFetch({ groupId: this.#options.group, topics }))
    return places.map((place) => {
      const found = responses
        .find(({ topic }) => topic === place.topic)
        ?.partitions.find(({ partition }) => partition === place.partition)
      const offset = Number(found?.offset ?? -1)
      return offset < 0 ? undefined : { ...place, offset }
    })
  }

  async commit(offsets: readonly FetchPosition[]): Promise<void> {
    const { coordinator, memberId, generationId } = this.#current()
    const topics: LowOffsets[] = toTopics(offsets, ({ partition, offset }) => ({ partition, offset: String(offset) }))
    const groupId = this.#options.group
    await withKafkaError(() => coordinator.offsetCommit({ groupId, groupGenerationId: generationId, memberId, topics }))
  }

  async leave(): Promise<void> {
    this.#stop.abort()
    await this.#ended
    await this.#cluster.disconnect()
  }

  #current(): Membership {
    if (this.#membership === undefined) throw toKafkaError(new Error('Not a member of the group right now.'))
    return this.#membership
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#cluster.connect()
        this.#membership = await this.#join()
        await this.#heartbeatUntilRebalance(this.#membership)
      } catch (error) {
        this.#heard(error)
        await this.#pause(RETRY_PAUSE_MS)
      }
      await this.#revoke()
    }
    await this.#leaveGroup()
  }

  /** While handlers finish, heartbeats go on: what they did may still be committed in the old generation. */
  async #revoke(): Promise<void> {
    const membership = this.#membership
    const beating = setInterval(() => void this.#beat(membership).catch(() => {}), this.#options.sessionTimeoutMs / 4)
    await this.#options.onRevoked().finally(() => clearInterval(beating))
  }

  async #leaveGroup(): Promise<void> {
    const { coordinator, memberId } = this.#membership ?? {}
    this.#membership = undefined
    if (memberId === undefined) return
    await coordinator?.leaveGroup({ groupId: this.#options.group, memberId }).catch(() => {})
  }

  async #join(): Promise<Membership> {
    const { group: groupId, topics, sessionTimeoutMs, rebalanceTimeoutMs } = this.#options
    await this.#cluster.refreshMetadata()
    const coordinator = await this.#cluster.findGroupCoordinator({ groupId, coordinatorType: 0 })
    const metadata = encodeSubscription(topics)
    const joined = await coordinator.joinGroup({
      groupId,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: rebalanceTimeoutMs,
      memberId: this.#memberId,
      groupProtocols: [{ name: PROTOCOL, metadata }],
    })
    const { memberId, generationId } = joined
    this.#memberId = memberId
    const groupAssignment = joined.leaderId === memberId ? await this.#assign(joined.members) : []
    const { memberAssignment } = await coordinator.syncGroup({ groupId, generationId, memberId, groupAssignment })
    this.#membership = { coordinator, memberId, generationId }
    this.#refusal = undefined
    this.#options.onAssigned(decodeAssignment(memberAssignment))
    this.#resolveJoined()
    return this.#membership
  }

  async #assign(members: readonly { memberId: string; memberMetadata: Buffer }[]) {
    const wanted = members.map(({ memberId, memberMetadata }) => ({
      memberId,
      topics: decodeSubscription(memberMetadata),
    }))
    const names = [...new Set(wanted.flatMap(({ topics }) => topics))].sort()
    const topics = await Promise.all(
      names.map(async (topic) => ({ topic, partitions: await this.#tools.partitionsOf(topic) })),
    )
    return [...assignRoundRobin(wanted, topics)].map(([memberId, assignment]) => ({
      memberId,
      memberAssignment: encodeAssignment(assignment),
    }))
  }

  /** Returns when the group asks to join again or the member is to stop; rejects when the membership is lost. */
  async #heartbeatUntilRebalance(membership: Membership): Promise<void> {
    const intervalMs = Math.min(1000, this.#options.sessionTimeoutMs / 4)
    while (!this.#stop.signal.aborted) {
      await this.#pause(intervalMs)
      if (this.#stop.signal.aborted) return
      try {
        await this.#beat(membership)
      } catch (error) {
        if (toKafkaError(error).type === 'REBALANCE_IN_PROGRESS') return
        throw error
      }
    }
  }

  async #beat(membership: Membership | undefined): Promise<void> {
    if (membership === undefined) return
    const { coordinator, memberId, generationId } = membership
    await coordinator.heartbeat({ groupId: this.#options.group, groupGenerationId: generationId, memberId })
  }

  #heard(error: unknown): void {
    const { group, topics } = this.#options
    const known = nameDenied(toKafkaError(error), { groups: [group], topics, topicOperations: 'Read and Describe' })
    const { code, type, message } = known
    if (type === 'UNKNOWN_MEMBER_ID' || type === 'ILLEGAL_GENERATION') this.#memberId = ''
    if (type === 'UNKNOWN_MEMBER_ID') this.#membership = undefined
    if (code === 'REFUSED') this.#refused(message)
    else this.#tools.logger.debug({ group, error: message }, 'Joining the consumer group again')
  }

  #refused(message: string): void {
    if (message === this.#refusal) return
    this.#refusal = message
    const { group } = this.#options
    this.#tools.logger.warn({ group, error: message }, `The broker lets nobody join the group: ${message}`)
  }

  #pause(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: this.#stop.signal }).catch(() => {})
  }
}

async function withKafkaError<T>(request: () => Promise<T>): Promise<T> {
  try {
    return await request()
  } catch (error) {
    throw toKafkaError(error)
  }
}

function toTopics<P extends TopicPartition, T>(
  places: readonly P[],
  to: (place: P) => T,
): { topic: string; partitions: T[] }[] {
  return [...groupBy(places, ({ topic }) => topic)].map(([topic, group]) => ({ topic, partitions: group.map(to) }))
}
