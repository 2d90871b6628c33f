import { DuologError } from '../../core/errors.ts'
import type { RecordedEvent, RecordedMessage } from '../../core/event.ts'
import type { Logger } from '../../core/logger.ts'
import {
  type FetchedRecord,
  type FetchPosition,
  type GroupMember,
  type KafkaDriver,
  KafkaError,
  type TopicPartition,
} from '../../kafka/driver.ts'
import type { Checkpoint, ConsumeOptions, Consumer } from '../event-store.ts'
import { type PartitionSource, runPartition } from '../partition-loop.ts'
import { pause } from '../wake-ups.ts'
import { CommitBatcher } from './commit-batcher.ts'
import { type Names, placeKey } from './names.ts'
import { type FeedPartition, PartitionFeed } from './partition-feed.ts'
import type { PartitionLog } from './partition-log.ts'
import { decodeRecord } from './record-codec.ts'

/*
 * A member of a consumer group: membership, reading and handling are three things that do not wait for each other.
 *
 * P6 The checkpoint moves past a message when its handler is done, by a commit or by the append that carried it.
 * P9 However long a handler takes, heartbeats and polling go on beside it.
 */

const SESSION_TIMEOUT_MS = 10_000
const REBALANCE_TIMEOUT_MS = 60_000
const RESTART_PAUSE_MS = 100
const LAST_ATTEMPTS = 3

export interface ConsumerTools {
  readonly driver: KafkaDriver
  readonly names: Names
  readonly logger: Logger
  /** The replica's view of a partition of the event topic. */
  readonly eventLog: (partition: number) => PartitionLog
  /** Topics exist when this resolves. */
  readonly prepared: Promise<void>
}

type Message = RecordedMessage | RecordedEvent

interface Assignment {
  readonly identity: string
  readonly places: ReadonlySet<string>
  readonly abort: AbortController
  readonly done: Promise<void>
}

export class KafkaConsumer implements Consumer {
  readonly ready: Promise<void>
  readonly #options: ConsumeOptions
  readonly #tools: ConsumerTools
  readonly #carried = new Map<string, number>()
  readonly #identities = new Set<string>()
  #assignment: Assignment | undefined
  #member: GroupMember | undefined
  #feed: PartitionFeed | undefined
  #stopped: Promise<void> | undefined
  readonly #stopping = new AbortController()

  constructor(options: ConsumeOptions, tools: ConsumerTools) {
    this.#options = options
    this.#tools = tools
    this.ready = this.#start()
    this.ready.catch(() => {}) // whoever awaits it hears of it
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  /** CHECKPOINT_FENCED for a checkpoint this member made in an assignment it has no more. */
  flawOf(checkpoint: Checkpoint): DuologError | undefined {
    const { owner } = checkpoint
    if (owner === undefined || !this.#identities.has(owner)) return undefined
    const current = this.#assignment
    const mine = current?.identity === owner && current.places.has(placeKey(checkpoint))
    return mine && !current.abort.signal.aborted ? undefined : fenced(checkpoint)
  }

  /** An append committed this checkpoint. */
  carried(checkpoint: Checkpoint): void {
    if (checkpoint.group !== this.#options.group) return
    const key = placeKey(checkpoint)
    this.#carried.set(key, Math.max(checkpoint.offset, this.#carried.get(key) ?? 0))
  }

  async #start(): Promise<void> {
    const { driver, names, prepared } = this.#tools
    await prepared
    if (this.#stopping.signal.aborted) return
    this.#feed = new PartitionFeed(driver)
    const first = Promise.withResolvers<void>()
    this.#member = driver.openMember({
      group: names.physical(this.#options.group),
      topics: this.#options.topics.map(names.physical),
      sessionTimeoutMs: SESSION_TIMEOUT_MS,
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
    await this.#member?.leave()
    await this.#revoke()
    await this.#feed?.close()
  }

  #assigned(places: readonly TopicPartition[], ready: () => void): void {
    const identity = this.#member?.identity ?? ''
    const abort = new AbortController()
    this.#identities.add(identity)
    this.#carried.clear()
    const { names } = this.#tools
    const keys = new Set(places.map(({ topic, partition }) => placeKey({ topic: names.logical(topic), partition })))
    const done = this.#run(places, identity, abort.signal, ready)
    this.#assignment = { identity, places: keys, abort, done }
  }

  async #revoke(): Promise<void> {
    const assignment = this.#assignment
    assignment?.abort.abort()
    await assignment?.done
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
    const loops = places.map((place, index) =>
      this.#runPartition({ place, identity, signal, commits }, starts[index] ?? 0),
    )
    await Promise.all(loops)
    await commits.flush()
  }

  async #runPartition(owned: Owned, firstStart: number): Promise<void> {
    let start = firstStart
    const { logger } = this.#tools
    while (!owned.signal.aborted) {
      const fed = this.#feed?.follow(owned.place, start)
      if (fed === undefined) return
      const source = this.#source(owned, fed)
      const end = await runPartition({ ...this.#options, source, signal: owned.signal, logger })
      this.#feed?.unfollow(fed)
      if (end === 'aborted') return
      // Fenced though perhaps still the owner: a handler used an old checkpoint. The message comes again.
      await pause(RESTART_PAUSE_MS, owned.signal)
      start = await this.#startOf(owned.place, owned.signal)
    }
  }

  #source(owned: Owned, fed: FeedPartition): PartitionSource {
    const { place, identity, signal } = owned
    const topic = this.#tools.names.logical(place.topic)
    const { partition } = place
    let seen = 0
    let taken: readonly FetchedRecord[] = []
    return {
      nextBatch: async () => {
        seen = fed.wakeUps.generation
        if (taken.length === 0) taken = fed.take()
        const batch = await this.#decode(place, taken)
        taken = [] // only now: what could not be decoded, because the broker was away, comes again (P6)
        return batch
      },
      waitForMore: () => fed.wakeUps.after(seen, { signal }),
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

  async #commit(checkpoint: Checkpoint, { identity, commits }: Owned): Promise<void> {
    const { topic, partition, offset } = checkpoint
    if ((this.#carried.get(placeKey(checkpoint)) ?? 0) >= offset) return
    if (this.#member?.identity !== identity) throw fenced(checkpoint)
    try {
      commits.add({ topic: this.#tools.names.physical(topic), partition, offset })
    } catch {
      throw fenced(checkpoint)
    }
  }

  /** Rejects only when the offsets belong to another owner by now; a broker that is away is waited for. */
  async #commitAll(offsets: readonly FetchPosition[], identity: string, signal: AbortSignal): Promise<void> {
    for (let attempt = 1; this.#member?.identity === identity; attempt++) {
      try {
        return await this.#member.commit(offsets)
      } catch (error) {
        if (error instanceof KafkaError && error.code === 'FENCED') throw error
        if (signal.aborted && attempt > LAST_ATTEMPTS) throw error
        await pause(RESTART_PAUSE_MS)
      }
    }
    throw new KafkaError('FENCED', 'The assignment is over.')
  }

  async #decode(place: TopicPartition, records: readonly FetchedRecord[]): Promise<readonly Message[]> {
    const { names, eventLog } = this.#tools
    const topic = names.logical(place.topic)
    const messages = records.flatMap((record) => {
      const decoded = decodeRecord(record, { topic, partition: place.partition })
      if ('stranger' in decoded) this.#report(place, record.offset, decoded.stranger)
      return 'stranger' in decoded ? [] : [decoded.record]
    })
    const last = messages[messages.length - 1]
    if (place.topic !== names.eventTopic || last === undefined) return messages.map(({ message }) => message)
    // Of the event topic only what every reader counts as a fact: the replica knows, and has it ready.
    const log = eventLog(place.partition)
    await log.catchUpPast(last.message.offset)
    return messages.flatMap(({ message, sequence }) =>
      log.isFact(message.key, sequence, message.offset) ? (log.eventAt(message.key, sequence ?? 0) ?? []) : [],
    )
  }

  #report({ topic, partition }: TopicPartition, offset: number, reason: string): void {
    this.#tools.logger.warn({ topic, partition, offset, reason }, `Skipped a record that is no message: ${reason}`)
  }

  /** The group's checkpoint; where there is none, the chosen end, committed at once so that it does not move. */
  async #startOf(place: TopicPartition, signal: AbortSignal): Promise<number> {
    const { driver, logger } = this.#tools
    while (!signal.aborted) {
      try {
        const [committed] = (await this.#member?.committed([place])) ?? []
        if (committed !== undefined) return committed.offset
        if (this.#options.from !== 'end') return await driver.offsetOf(place, 'earliest')
        const offset = await driver.offsetOf(place, 'latest')
        await this.#member?.commit([{ ...place, offset }])
        return offset
      } catch (error) {
        logger.debug({ ...place, error: String(error) }, 'Looking up the checkpoint of a partition again')
        await pause(RESTART_PAUSE_MS, signal)
      }
    }
    return 0
  }
}

interface Owned {
  readonly place: TopicPartition
  readonly identity: string
  readonly signal: AbortSignal
  readonly commits: CommitBatcher
}

function fenced({ group, topic, partition }: Checkpoint): DuologError {
  return new DuologError(
    'CHECKPOINT_FENCED',
    `Partition ${partition} of "${topic}" belongs to another member of the group "${group}" by now; nothing was written. ` +
      'The new owner gets the message again.',
  )
}
