import { DuologError } from '../../core/errors.ts'
import type { AnyEvent, NewEvent, RecordedEvent } from '../../core/event.ts'
import type { Logger } from '../../core/logger.ts'
import type { BlobStore } from '../blobs.ts'
import { checkConsumeOptions, checkInteger, checkReadOptions, checkStream, checkTopic } from '../check-arguments.ts'
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
  ReadStreamOptions,
  StreamInfo,
} from '../event-store.ts'
import { fileBlobs } from '../file-blobs.ts'
import { foldFromSnapshot } from '../fold-from-snapshot.ts'
import { checkFollowOptions, followSources } from '../follow-partitions.ts'
import type { InlineView, InlineViews, KeptView } from '../inline-views.ts'
import { type PrepareContext, prepareAppend } from '../prepare-append.ts'
import type { SnapshotStore } from '../snapshot-store.ts'
import { Snapshots } from '../snapshots.ts'
import type { StoreOptions } from '../store-options.ts'
import { systemClock, systemRandom } from '../system.ts'
import { type FilePresence, filePresence } from './file-presence.ts'
import { GroupMember } from './group-member.ts'
import { type LogFile, openLogFile, type SqliteLocation } from './log-file.ts'
import { partitionSources } from './partition-reader.ts'
import { eventsOf } from './stream-reader.ts'

/*
 * The `file:` backing: the port on SQLite, for several processes on one machine. How it keeps P2–P6:
 * docs/internals/file-store.md.
 */

export type { SqliteLocation } from './log-file.ts'

/**
 * Opens the log in a file; makes it, and its folder, when missing.
 *
 * @throws NOT_A_LOG, LOG_CORRUPT, LOG_NEWER, LOG_BUSY, LOG_UNAVAILABLE, TOPIC_UNSUITABLE; the file is left as it is.
 */
export async function openSqliteStore(location: SqliteLocation, options: StoreOptions = {}): Promise<EventStore> {
  return new SqliteStore(await openLogFile(location, options), location, options)
}

class SqliteStore implements EventStore {
  readonly backing = 'file'
  readonly eventTopic: string
  readonly logger: Logger
  readonly presence: Presence
  readonly snapshots: SnapshotStore
  readonly blobs: BlobStore
  readonly inlineViews: InlineViews
  readonly #log: LogFile
  readonly #presence: FilePresence
  readonly #prepare: PrepareContext
  readonly #members = new Set<GroupMember>()
  readonly #closing = new AbortController()
  #closed?: Promise<void>

  constructor(log: LogFile, { path }: SqliteLocation, options: StoreOptions) {
    this.blobs = fileBlobs(`${path}-blobs`)
    this.eventTopic = log.layout.eventTopic
    this.logger = log.logger
    this.#log = log
    this.#prepare = {
      eventTopic: log.layout.eventTopic,
      appendTimeoutMs: options.appendTimeoutMs,
      clock: options.clock ?? systemClock,
      random: options.random ?? systemRandom,
    }
    this.snapshots = new Snapshots(log.snapshots, log.logger)
    this.inlineViews = { keep: async (view) => this.#open(() => this.#keep(view)) }
    this.#presence = filePresence(log)
    this.presence = {
      announce: async (owner) => this.#open(() => this.#presence.announce(owner)),
      liveness: async (owner) => this.#open(() => this.#presence.liveness(owner)),
    }
  }

  readStream<T extends AnyEvent>(stream: string, options: ReadStreamOptions = {}): AsyncIterable<RecordedEvent<T>> {
    return { [Symbol.asyncIterator]: () => eventsOf(this.#pages<T>(stream, options)) }
  }

  async *#pages<T extends AnyEvent>(
    stream: string,
    options: ReadStreamOptions,
  ): AsyncGenerator<readonly RecordedEvent<T>[]> {
    this.#checkOpen()
    checkReadOptions(stream, options)
    for await (const page of this.#log.streams.pages<T>(stream, options)) {
      yield page
      this.#checkOpen()
    }
  }

  async appendToStream(stream: string, events: readonly NewEvent[], options: AppendOptions = {}): Promise<Appended> {
    this.#checkOpen()
    return this.#log.append(prepareAppend(stream, events, options, this.#prepare))
  }

  async aggregateStream<State, T extends AnyEvent>(
    stream: string,
    options: AggregateOptions<State, T>,
  ): Promise<Aggregated<State>> {
    this.#checkOpen()
    return foldFromSnapshot(this.snapshots, stream, options, (rest) => this.#fold(stream, rest))
  }

  async #fold<State, T extends AnyEvent>(
    stream: string,
    { evolve, initialState, from, stateBefore, consistency = 'linearizable' }: AggregateOptions<State, T>,
  ): Promise<Aggregated<State>> {
    if (from !== undefined) checkInteger('from.version', from.version, 0)
    let state = from === undefined ? initialState() : from.state
    let version = from?.version ?? 0
    for await (const page of this.#pages<T>(stream, { from: version + 1, consistency })) {
      const [first] = page
      if (first?.streamPosition === 1 && stateBefore !== undefined) state = await stateBefore(first)
      for (const event of page) state = evolve(state, event)
      version = page[page.length - 1]?.streamPosition ?? version
    }
    return { state, currentStreamVersion: version, streamExists: version > 0 }
  }

  async *listStreams(): AsyncGenerator<StreamInfo> {
    this.#checkOpen()
    for await (const info of this.#log.streams.streams()) {
      yield info
      this.#checkOpen()
    }
  }

  async waitForVersion(
    stream: string,
    version: number,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<number> {
    this.#checkOpen()
    checkStream(stream)
    checkInteger('version', version, 0)
    const unhold = this.#log.watch.hold()
    try {
      const { reached } = await this.#log.read(() => ({ reached: this.#reached(stream, version, options.signal) }))
      return await reached
    } finally {
      unhold()
    }
  }

  /** Looks and begins to wait in one step, so that no append falls between. */
  #reached(stream: string, version: number, signal?: AbortSignal): number | Promise<number> {
    this.#checkOpen()
    const current = this.#log.versionOf(stream)
    return current >= version ? current : this.#log.versionWaiters.wait(stream, version, signal)
  }

  async partitionEnds(topic: string): Promise<readonly PartitionPosition[]> {
    this.#checkOpen()
    checkTopic(topic)
    const ends = await this.#log.read(() => this.#log.places.endsOf(topic))
    return ends.map((offset, partition) => ({ topic, partition, offset }))
  }

  async *followPartitions(
    from: readonly PartitionPosition[],
    options: FollowPartitionsOptions = {},
  ): AsyncGenerator<PartitionBatch> {
    this.#checkOpen()
    checkFollowOptions(from)
    const signal = AbortSignal.any([this.#closing.signal, ...(options.signal === undefined ? [] : [options.signal])])
    const unhold = this.#log.watch.hold()
    try {
      yield* followSources(from.map(partitionSources(this.#log)), signal, options.select)
    } finally {
      unhold()
    }
  }

  consume(options: ConsumeOptions): Consumer {
    this.#checkOpen()
    checkConsumeOptions(options)
    const member = new GroupMember(this.#log, options)
    this.#members.add(member)
    const stop = () => member.stop().finally(() => this.#members.delete(member))
    return { ready: member.ready, ended: member.ended, stop }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#closing.abort()
    this.#log.versionWaiters.rejectAll(storeClosed())
    await Promise.all([...this.#members].map((member) => member.stop()))
    try {
      await this.#presence.withdrawAll()
      await this.snapshots.idle()
    } finally {
      await this.#log.close()
    }
  }

  async #keep(view: InlineView): Promise<KeptView> {
    const kept = await this.#log.inlineViews.keep(view)
    return {
      get: async (key) => this.#open(() => kept.get(key)),
      list: async (range) => this.#open(() => kept.list(range)),
      release: () => kept.release(),
    }
  }

  #open<T>(action: () => T): T {
    this.#checkOpen()
    return action()
  }

  #checkOpen(): void {
    if (this.#closed !== undefined) throw storeClosed()
  }
}

function storeClosed(): DuologError {
  return new DuologError('STORE_CLOSED', 'This store was closed; open another one.')
}
