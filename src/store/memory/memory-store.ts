import { DuologError } from '../../core/errors.ts'
import type { AnyEvent, NewEvent, RecordedEvent } from '../../core/event.ts'
import type { Logger } from '../../core/logger.ts'
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
  Announcement,
  Appended,
  AppendOptions,
  ConsumeOptions,
  Consumer,
  EventStore,
  FollowPartitionsOptions,
  Liveness,
  PartitionBatch,
  PartitionPosition,
  Presence,
  ReadStreamOptions,
  StreamInfo,
} from '../event-store.ts'
import { checkFollowOptions, followSources } from '../follow-partitions.ts'
import type { InlineView, InlineViews, KeptView } from '../inline-views.ts'
import { type PrepareContext, prepareAppend } from '../prepare-append.ts'
import type { SnapshotStore } from '../snapshot-store.ts'
import { Snapshots, type SnapshotTable } from '../snapshots.ts'
import type { StoreOptions } from '../store-options.ts'
import { systemClock, systemRandom } from '../system.ts'
import { topicLayout } from '../topic-layout.ts'
import { warningLogger } from '../warning-logger.ts'
import type { MemoryMember } from './memory-group.ts'
import { type MemoryLog, memoryLog } from './memory-log.ts'
import { toReader } from './memory-partition.ts'

/*
 * The reference: the port's semantics without a disk or a broker. What it does is right by definition of the contract
 * suite; what it does not have is a life beyond the process.
 */

export interface MemoryStoreOptions extends StoreOptions {
  /** Stores of one process opened with the same name share one log. Default: a fresh log. */
  readonly name?: string
}

const DEFAULT_LEASE_MS = 10_000

export function openMemoryStore(options: MemoryStoreOptions = {}): EventStore {
  return new MemoryStore(options)
}

class MemoryStore implements EventStore {
  readonly backing = 'memory'
  readonly eventTopic: string
  readonly logger: Logger
  readonly presence: Presence
  readonly snapshots: SnapshotStore
  readonly blobs: BlobStore
  readonly inlineViews: InlineViews
  readonly #log: MemoryLog
  readonly #prepare: PrepareContext
  readonly #options: MemoryStoreOptions
  readonly #members = new Set<MemoryMember>()
  readonly #announcements = new Set<Announcement>()
  readonly #kept = new Set<KeptView>()
  readonly #closing = new AbortController()
  #closed?: Promise<void>

  constructor(options: MemoryStoreOptions) {
    const layout = topicLayout(options)
    this.eventTopic = layout.eventTopic
    this.logger = options.logger ?? warningLogger
    this.#options = options
    this.#log = memoryLog(options.name, layout)
    this.#prepare = {
      eventTopic: layout.eventTopic,
      clock: options.clock ?? systemClock,
      random: options.random ?? systemRandom,
    }
    this.blobs = this.#log.blobs
    this.inlineViews = { keep: (view) => this.#keep(view) }
    this.snapshots = new Snapshots(snapshotTable(this.#log.snapshots), this.logger)
    this.presence = { announce: (owner) => this.#announce(owner), liveness: (owner) => this.#liveness(owner) }
  }

  async *readStream<T extends AnyEvent>(
    stream: string,
    options: ReadStreamOptions = {},
  ): AsyncGenerator<RecordedEvent<T>> {
    this.#checkOpen()
    checkReadOptions(stream, options)
    const { from = 1, to = Number.MAX_SAFE_INTEGER, maxCount = Number.MAX_SAFE_INTEGER } = options
    const last = Math.min(to, from - 1 + maxCount)
    for (const stored of this.#log.read(stream, from, last)) yield toReader(stored) as RecordedEvent<T>
  }

  async appendToStream(stream: string, events: readonly NewEvent[], options: AppendOptions = {}): Promise<Appended> {
    this.#checkOpen()
    return this.#log.append(prepareAppend(stream, events, options, this.#prepare))
  }

  async aggregateStream<State, T extends AnyEvent>(
    stream: string,
    options: AggregateOptions<State, T>,
  ): Promise<Aggregated<State>> {
    return aggregate(this, stream, options)
  }

  async *listStreams(): AsyncGenerator<StreamInfo> {
    this.#checkOpen()
    for (const [stream, { events }] of [...this.#log.streams]) {
      const last = events[events.length - 1]
      if (last !== undefined) yield { stream, currentStreamVersion: events.length, lastEventAt: last.record.timestamp }
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
    const current = this.#log.streams.get(stream)?.currentVersion() ?? 0
    if (current >= version) return current
    const signal = AbortSignal.any([this.#closing.signal, ...(options.signal === undefined ? [] : [options.signal])])
    try {
      return await this.#log.versionWaiters.wait(stream, version, signal)
    } catch (error) {
      this.#checkOpen()
      throw error
    }
  }

  async partitionEnds(topic: string): Promise<readonly PartitionPosition[]> {
    this.#checkOpen()
    checkTopic(topic)
    return Array.from({ length: this.#log.layout.partitionCountOf(topic) }, (_, partition) => ({
      topic,
      partition,
      offset: this.#log.partition(topic, partition).end,
    }))
  }

  async *followPartitions(
    from: readonly PartitionPosition[],
    options: FollowPartitionsOptions = {},
  ): AsyncGenerator<PartitionBatch> {
    this.#checkOpen()
    checkFollowOptions(from)
    const signal = AbortSignal.any([this.#closing.signal, ...(options.signal === undefined ? [] : [options.signal])])
    const sources = from.map((position) => this.#log.partition(position.topic, position.partition).source(position))
    yield* followSources(sources, signal, options.select)
  }

  consume(options: ConsumeOptions): Consumer {
    this.#checkOpen()
    checkConsumeOptions(options)
    const { leaseMs = DEFAULT_LEASE_MS } = this.#options
    const member = this.#log.group(options.group).join({ consume: options, logger: this.logger, leaseMs })
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
    await Promise.all([...this.#members].map((member) => member.stop()))
    for (const kept of this.#kept) kept.release()
    await Promise.all([...this.#announcements].map((announcement) => announcement.withdraw()))
  }

  async #keep(view: InlineView): Promise<KeptView> {
    this.#checkOpen()
    const kept = await this.#log.inlineViews.keep(view)
    this.#kept.add(kept)
    const open = <T>(read: () => Promise<T>) => {
      this.#checkOpen()
      return read()
    }
    return {
      get: async (key) => open(() => kept.get(key)),
      list: async (range) => open(() => kept.list(range)),
      release: () => kept.release(),
    }
  }

  async #announce(owner: string): Promise<Announcement> {
    this.#checkOpen()
    checkName('The owner', owner)
    const owners = this.#log.owners
    owners.set(owner, (owners.get(owner) ?? 0) + 1)
    const announcement = {
      withdraw: async () => {
        if (!this.#announcements.delete(announcement)) return
        const left = (owners.get(owner) ?? 1) - 1
        if (left > 0) owners.set(owner, left)
        else owners.delete(owner)
      },
    }
    this.#announcements.add(announcement)
    return announcement
  }

  async #liveness(owner: string): Promise<Liveness> {
    this.#checkOpen()
    checkName('The owner', owner)
    // Everybody who could be alive lives in this process.
    return this.#log.owners.has(owner) ? 'alive' : 'dead'
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) {
      throw new DuologError('STORE_CLOSED', 'This store was closed; open another one.')
    }
  }
}

function snapshotTable(texts: Map<string, string>): SnapshotTable {
  return {
    load: async (name, stream) => texts.get(JSON.stringify([name, stream])),
    save: async (name, stream, text) => void texts.set(JSON.stringify([name, stream]), text),
    clear: async () => texts.clear(),
  }
}
