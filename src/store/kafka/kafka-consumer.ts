import { DuologError, isDuologError } from '../../core/errors.ts'
import type { RecordedMessage } from '../../core/event.ts'
import { type FetchPosition, type GroupMember, KafkaError, type TopicPartition } from '../../kafka/driver.ts'
import { groupName } from '../checkpoint-ahead.ts'
import type { Checkpoint, ConsumeOptions, Consumer } from '../event-store.ts'
import { type PartitionSource, runPartition } from '../partition-loop.ts'
import { pause } from '../wake-ups.ts'
import { isWorthALine } from '../warning-logger.ts'
import { type CheckpointGuard, fenced } from './checkpoint-guard.ts'
import { CommitBatcher } from './commit-batcher.ts'
import { type FedPartitionTools, fedPartition } from './fed-partition.ts'
import { type FeedPartition, PartitionFeed } from './partition-feed.ts'

/*
 * A member of a consumer group: membership, reading and handling are three things that do not wait for each other.
 *
 * P6 The checkpoint moves past a message when its handler is done, by a commit or by the append that carried it.
 * P9 However long a handler takes, heartbeats and polling go on beside it.
 */

/** The least a broker grants by default; a shorter one is refused. */
const LEAST_SESSION_TIMEOUT_MS = 6_000
const REBALANCE_TIMEOUT_MS = 60_000
const RESTART_PAUSE_MS = 100
const LAST_ATTEMPTS = 3
/** A transaction that moves a checkpoint takes some milliseconds; after so long its writer is dead or frozen. */
const UNDECIDED_PATIENCE_MS = 1000

export interface ConsumerTools extends Omit<FedPartitionTools, 'who'> {
  /** How long an owner may be silent; a dead member's partitions are free after twice that. */
  readonly leaseMs: number
  readonly guard: CheckpointGuard
  /** Aborts the transactions that dead writers left undecided. */
  readonly endOpenTransactions: () => Promise<void>
  /** Topics exist when this resolves. */
  readonly prepared: Promise<void>
}

interface Assignment {
  readonly identity: string
  readonly abort: AbortController
  readonly done: Promise<void>
}

export class KafkaConsumer implements Consumer {
  readonly ready: Promise<void>
  readonly #options: ConsumeOptions
  readonly #tools: ConsumerTools
  readonly #ended = Promise.withResolvers<DuologError | undefined>()
  readonly ended = this.#ended.promise
  readonly #released = Promise.withResolvers<void>()
  /** Resolves when its connections are closed, too: a last poll may outlast `stop` for a moment. */
  readonly released = this.#released.promise
  #assignment: Assignment | undefined
  #member: GroupMember | undefined
  #feed: PartitionFeed | undefined
  #stopped: Promise<void> | undefined
  #failure: DuologError | undefined
  readonly #stopping = new AbortController()
  /** Messages that are none, with why. */
  readonly #strangers = new WeakMap<RecordedMessage, string>()

  constructor(options: ConsumeOptions, tools: ConsumerTools) {
    this.#options = options
    this.#tools = tools
    this.ready = this.#start()
    this.ready.catch(() => {}) // whoever awaits it hears of it
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop().finally(() => this.#ended.resolve(this.#failure))
    return this.#stopped
  }

  #fail(error: DuologError): undefined {
    this.#failure ??= error
    void this.stop().catch(() => {}) // who stops it, too, hears of it
    return undefined
  }

  async #start(): Promise<void> {
    const { driver, logger, names, prepared, leaseMs } = this.#tools
    await prepared
    if (this.#stopping.signal.aborted) return
    this.#feed = new PartitionFeed({ driver, logger })
    const first = Promise.withResolvers<void>()
    this.#member = driver.openMember({
      group: names.physical(this.#options.group),
      topics: this.#options.topics.map(names.physical),
      sessionTimeoutMs: Math.max(LEAST_SESSION_TIMEOUT_MS, 2 * leaseMs),
      rebalanceTimeoutMs: REBALANCE_TIMEOUT_MS,
      onAssigned: (places) => this.#assigned(places, first.resolve),
      onRevoked: () => this.#revoke(),
    })
    this.#stopping.signal.addEventListener('abort', () => first.resolve())
    await first.promise
  }

  async #stop(): Promise<void> {
    this.#stopping.abort()
    await this.ready.catch(() => {})
    try {
      await this.#member?.leave()
      await this.#revoke()
    } finally {
      const closed = this.#feed?.close() ?? Promise.resolve()
      void closed.catch(() => {}).then(this.#released.resolve)
    }
  }

  #assigned(places: readonly TopicPartition[], ready: () => void): void {
    const identity = this.#member?.identity ?? ''
    const abort = new AbortController()
    const { names, guard } = this.#tools
    const logical = places.map(({ topic, partition }) => ({ topic: names.logical(topic), partition }))
    guard.own(identity, this.#options.group, logical)
    this.#assignment = { identity, abort, done: this.#run(places, identity, abort.signal, ready) }
  }

  /** A handler that is ending may still append with its checkpoint; after that nobody may. */
  async #revoke(): Promise<void> {
    const assignment = this.#assignment
    if (assignment === undefined) return
    assignment.abort.abort()
    await assignment.done
    this.#tools.guard.disown(assignment.identity)
  }

  /** Where each partition begins is settled before `ready`: what is appended after it will be read. */
  async #run(
    places: readonly TopicPartition[],
    identity: string,
    signal: AbortSignal,
    ready: () => void,
  ): Promise<void> {
    const starts = await Promise.all(places.map((place) => this.#startOf(place, signal)))
    ready()
    const commits = new CommitBatcher((offsets) => this.#commitAll(offsets, identity, signal))
    const loops = places.map((place, index) => this.#runPartition({ place, identity, signal, commits }, starts[index]))
    await Promise.all(loops)
    await commits.flush()
  }

  async #runPartition(owned: Owned, firstStart: number | undefined): Promise<void> {
    let start = firstStart
    const { logger } = this.#tools
    while (!owned.signal.aborted && start !== undefined) {
      const fed = this.#feed?.follow(owned.place, start)
      if (fed === undefined) return
      const source = this.#source(owned, fed)
      const handler = this.#handler
      const end = await runPartition({
        ...this.#options,
        ...this.#select(),
        handler,
        source,
        signal: owned.signal,
        logger,
      })
      this.#feed?.unfollow(fed)
      if (end === 'aborted') return
      if (end !== 'fenced') return this.#fail(end)
      // Fenced though perhaps still the owner: a handler used an old checkpoint. The message comes again.
      await pause(RESTART_PAUSE_MS, owned.signal)
      start = await this.#startOf(owned.place, owned.signal)
    }
  }

  #source(owned: Owned, fed: FeedPartition): PartitionSource {
    const { place, identity } = owned
    const topic = this.#tools.names.logical(place.topic)
    const { partition } = place
    return {
      ...fedPartition(fed, {
        ...this.#tools,
        who: groupName(this.#options.group),
        onStranger: this.#options.stranger && this.#onStranger,
      }),
      checkpointAfter: ({ offset }) => ({
        group: this.#options.group,
        topic,
        partition,
        offset: offset + 1,
        owner: identity,
      }),
      commit: (checkpoint) => this.#commit(checkpoint, owned),
    }
  }

  readonly #onStranger = (message: RecordedMessage, reason: string) => void this.#strangers.set(message, reason)

  readonly #handler: ConsumeOptions['handler'] = (message, context) => {
    const reason = this.#strangers.get(message)
    if (reason === undefined || this.#options.stranger === undefined) return this.#options.handler(message, context)
    return this.#options.stranger(recordUnreadable(message, reason), message, context)
  }

  /** A record that is no message is somebody's business all the same. */
  #select(): Pick<ConsumeOptions, 'select'> {
    const { select } = this.#options
    return select === undefined ? {} : { select: (message) => this.#strangers.has(message) || select(message) }
  }

  async #commit(checkpoint: Checkpoint, { identity, commits }: Owned): Promise<void> {
    const { guard, names } = this.#tools
    const { topic, partition, offset } = checkpoint
    if (guard.wasCarried(checkpoint)) return
    if (this.#member?.identity !== identity) throw fenced(checkpoint)
    guard.reached(checkpoint, { carried: false })
    try {
      commits.add({ topic: names.physical(topic), partition, offset })
    } catch {
      throw fenced(checkpoint)
    }
  }

  /** Rejects only when the offsets belong to another owner by now; a broker that is away is waited for. */
  async #commitAll(offsets: readonly FetchPosition[], identity: string, signal: AbortSignal): Promise<void> {
    for (let attempt = 1; this.#member?.identity === identity; attempt++) {
      try {
        const due = offsets.filter((position) => !this.#wasCarried(position))
        return due.length === 0 ? undefined : await this.#member.commit(due)
      } catch (error) {
        if (error instanceof KafkaError && error.code === 'FENCED') throw error
        if (signal.aborted && attempt > LAST_ATTEMPTS) throw error
        await pause(RESTART_PAUSE_MS)
      }
    }
    throw new KafkaError('FENCED', 'The assignment is over.')
  }

  /** An append that came later and committed sooner must not be set back. */
  #wasCarried({ topic, ...place }: FetchPosition): boolean {
    const { guard, names } = this.#tools
    return guard.wasCarried({ group: this.#options.group, topic: names.logical(topic), ...place })
  }

  /** Nothing: the assignment is over, or the consumer ends. */
  async #startOf(place: TopicPartition, signal: AbortSignal): Promise<number | undefined> {
    let undecidedFromMs = performance.now()
    let refusals = 0
    while (!signal.aborted) {
      try {
        return await this.#lookUpStart(place)
      } catch (error) {
        if (isUndecided(error) && performance.now() - undecidedFromMs > UNDECIDED_PATIENCE_MS) {
          await this.#tools.endOpenTransactions().catch(() => {}) // asked again, and tried again
          undecidedFromMs = performance.now()
        }
        this.#tools.logger.debug({ ...place, error: String(error) }, 'Looking up the checkpoint of a partition again')
        // A connection that fails is tried again without a word; what checkpoints outside the log refuse, somebody must hear.
        if (isDuologError(error)) this.#report(error, place, ++refusals)
        if (isDuologError(error, 'CHECKPOINT_AHEAD')) return this.#fail(error)
        await pause(RESTART_PAUSE_MS, signal)
      }
    }
    return undefined
  }

  #report(error: DuologError, place: TopicPartition, attempt: number): void {
    const { group, onError } = this.#options
    if (onError !== undefined) onError(error, undefined, attempt)
    else if (isWorthALine(attempt))
      this.#tools.logger.warn({ err: error, group, ...place }, 'A checkpoint could not be loaded')
  }

  /** The group's checkpoint; where there is none, the chosen end, committed at once so that it does not move. */
  async #lookUpStart(place: TopicPartition): Promise<number> {
    const { driver, names } = this.#tools
    const own = await this.#options.checkpoints?.load(names.logical(place.topic), place.partition)
    if (own !== undefined) return own
    const [committed] = (await this.#member?.committed([place])) ?? []
    if (committed !== undefined) return committed.offset
    if (this.#options.from !== 'end') return driver.offsetOf(place, 'earliest')
    const offset = await driver.offsetOf(place, 'latest')
    await this.#member?.commit([{ ...place, offset }])
    return offset
  }
}

interface Owned {
  readonly place: TopicPartition
  readonly identity: string
  readonly signal: AbortSignal
  readonly commits: CommitBatcher
}

/** Where the group stands depends on a transaction that is neither committed nor aborted (D6). */
function isUndecided(error: unknown): boolean {
  return error instanceof KafkaError && error.type === 'UNSTABLE_OFFSET_COMMIT'
}

function recordUnreadable({ topic, partition, offset }: RecordedMessage, reason: string): DuologError {
  return new DuologError('RECORD_UNREADABLE', `Record ${offset} of partition ${partition} of "${topic}": ${reason}.`)
}
