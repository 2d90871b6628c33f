import { DuologError, isDuologError } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import type { Checkpoint, ConsumeOptions } from '../event-store.ts'
import { type LoopEnd, type PartitionSource, runPartition } from '../partition-loop.ts'
import type { TopicLayout } from '../topic-layout.ts'
import { pause, settledWithin } from '../wake-ups.ts'
import type { MemoryPartition } from './memory-partition.ts'

/*
 * A consumer group: every partition of a topic has at most one owner among the members who read that topic.
 *
 * P6 An owner that lost its partition commits nothing: its checkpoints carry a token that is no longer the partition's.
 */

const RESTART_PAUSE_MS = 100

/** What a group needs of its log. */
interface Partitions {
  readonly layout: TopicLayout
  partition(topic: string, partition: number): MemoryPartition
}

export interface MemberOptions {
  readonly consume: ConsumeOptions
  readonly logger: Logger
  /** How long a handler may go on after its partition was taken away. */
  readonly leaseMs: number
}

interface Place {
  readonly topic: string
  readonly partition: number
  /** The next offset to read; absent before the first commit. */
  committed?: number
  wanted?: MemoryMember | undefined
  owner?: MemoryMember | undefined
  /** Changes with every owner. */
  token: string
  settling?: Promise<void> | undefined
}

export class MemoryGroup {
  readonly #name: string
  readonly #log: Partitions
  readonly #members = new Set<MemoryMember>()
  readonly #places = new Map<string, Place>()
  #tokens = 0

  constructor(name: string, log: Partitions) {
    this.#name = name
    this.#log = log
  }

  join(options: MemberOptions): MemoryMember {
    const member = new MemoryMember(this, options)
    for (const topic of member.topics) this.#definePlaces(topic)
    this.#members.add(member)
    member.ready = this.#rebalance()
    return member
  }

  leave(member: MemoryMember): Promise<void> {
    this.#members.delete(member)
    return this.#rebalance()
  }

  commit({ topic, partition, offset, owner }: Checkpoint): void {
    const place = this.#place(topic, partition)
    if (owner !== undefined && owner !== place.token) throw fenced(this.#name, place)
    place.committed = Math.max(place.committed ?? 0, offset)
  }

  /** What the member reads of its place, beginning at the group's checkpoint. */
  async source(place: Place, token: string, { from, checkpoints }: ConsumeOptions): Promise<PartitionSource> {
    const { topic, partition } = place
    const records = this.#log.partition(topic, partition)
    // Committed at once: a member that starts at the end and dies must not move the beginning for the next one.
    place.committed ??= from === 'end' ? records.end : 0
    const offset = (await checkpoints?.load(topic, partition)) ?? place.committed
    return {
      ...records.source({ topic, partition, offset }),
      checkpointAfter: ({ offset }) => ({ group: this.#name, topic, partition, offset: offset + 1, owner: token }),
      commit: async (checkpoint) => this.commit(checkpoint),
    }
  }

  #definePlaces(topic: string): void {
    for (let partition = 0; partition < this.#log.layout.partitionCountOf(topic); partition++) {
      this.#place(topic, partition)
    }
  }

  #place(topic: string, partition: number): Place {
    const key = `${topic}/${partition}`
    const place = this.#places.get(key) ?? { topic, partition, token: '' }
    this.#places.set(key, place)
    return place
  }

  /** Shares the partitions of each topic among its readers, round robin; resolves when all have what they should. */
  async #rebalance(): Promise<void> {
    const settled = [...this.#places.values()].map((place) => {
      const readers = [...this.#members].filter((member) => member.topics.has(place.topic))
      place.wanted = readers[place.partition % readers.length]
      if (place.owner !== place.wanted) place.settling ??= this.#settle(place)
      return place.settling
    })
    await Promise.all(settled)
  }

  async #settle(place: Place): Promise<void> {
    while (place.owner !== place.wanted) {
      await place.owner?.release(place)
      place.owner = place.wanted
      place.token = `${this.#name}:${++this.#tokens}`
      place.owner?.take(place, place.token)
    }
    place.settling = undefined
  }
}

export class MemoryMember {
  ready: Promise<void> = Promise.resolve()
  readonly #ended = Promise.withResolvers<DuologError | undefined>()
  readonly ended = this.#ended.promise
  readonly topics: ReadonlySet<string>
  readonly #group: MemoryGroup
  readonly #options: MemberOptions
  readonly #running = new Map<Place, { readonly abort: AbortController; readonly done: Promise<void> }>()
  #stopped?: Promise<void>
  #failure: DuologError | undefined

  constructor(group: MemoryGroup, options: MemberOptions) {
    this.#group = group
    this.#options = options
    this.topics = new Set(options.consume.topics)
  }

  take(place: Place, token: string): void {
    const abort = new AbortController()
    this.#running.set(place, { abort, done: this.#run(place, token, abort.signal) })
  }

  async #run(place: Place, token: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const end = await this.#runOnce(place, token, signal)
      // Fenced though still the owner: a handler used an old checkpoint. The message comes again with the right one.
      if (end === 'fenced') await pause(RESTART_PAUSE_MS, signal)
      else if (end !== 'aborted') return this.#fail(end)
    }
  }

  async #runOnce(place: Place, token: string, signal: AbortSignal): Promise<LoopEnd> {
    const { consume, logger } = this.#options
    try {
      const source = await this.#group.source(place, token, consume)
      return await runPartition({ ...consume, source, signal, logger })
    } catch (error) {
      const { topic, partition } = place
      if (consume.onError !== undefined) consume.onError(error, undefined, 1)
      else logger.warn({ err: error, group: consume.group, topic, partition }, 'A checkpoint could not be loaded')
      return isDuologError(error, 'CHECKPOINT_AHEAD') ? error : 'fenced'
    }
  }

  /** The running handler may finish and commit; if it takes too long, the partition goes on without it. */
  async release(place: Place): Promise<void> {
    const running = this.#running.get(place)
    this.#running.delete(place)
    running?.abort.abort()
    await settledWithin(this.#options.leaseMs, running?.done)
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop().finally(() => this.#ended.resolve(this.#failure))
    return this.#stopped
  }

  #fail(error: DuologError): void {
    this.#failure ??= error
    void this.stop().catch(() => {}) // who stops it, too, hears of it
  }

  async #stop(): Promise<void> {
    const handlers = [...this.#running.values()].map(({ done }) => done)
    await this.#group.leave(this)
    await Promise.all(handlers)
  }
}

function fenced(group: string, { topic, partition }: Place): DuologError {
  return new DuologError(
    'CHECKPOINT_FENCED',
    `Partition ${partition} of "${topic}" belongs to another member of the group "${group}" by now; nothing was written. ` +
      'The new owner gets the message again.',
  )
}
