import type { Decider } from '../core/decider.ts'
import type { DuologError } from '../core/errors.ts'
import type { AnyEvent, NewEvent, OutgoingMessage, RawRecord, RecordedEvent, RecordedMessage } from '../core/event.ts'
import type { Logger } from '../core/logger.ts'
import type { ExpectedStreamVersion } from '../core/versions.ts'
import type { BlobStore } from './blobs.ts'
import type { InlineViews } from './inline-views.ts'
import type { SnapshotOptions, SnapshotStore } from './snapshot-store.ts'

/*
 * The EventStore port: the only place where a fact is born. The contract suite in `testing/` is its definition; the
 * memory store is its shortest reading. Invariants every backing keeps, numbered as in docs/internals/architecture.md:
 *
 * P2 An append is all or nothing: events of one stream, outgoing messages and the consumer's checkpoint together.
 * P3 Versions of a stream are 1, 2, 3 … without gaps or repeats, seen by every reader, after every crash.
 * P4 An acknowledged append is in the log, a refused one is not, and no caller ever hears "unknown".
 * P5 The same idempotency key appended twice to a stream is one fact; the second caller gets the first answer.
 * P6 A checkpoint never passes a message whose effect is not durable.
 */

/** A log of facts in streams, behind one port for every backing; open one with `openEventStore`. */
export interface EventStore<E extends AnyEvent = AnyEvent> {
  /** Which backing this is, for messages to people; no program logic hangs on it. */
  readonly backing: 'memory' | 'file' | 'kafka'

  /** The topic that holds the events. */
  readonly eventTopic: string

  /**
   * Where this store tells what goes wrong when nobody listens. Whatever runs over it and was given neither a logger of its own
   * nor an `onError` tells it here, too. Absent: to stderr.
   */
  readonly logger?: Logger

  /**
   * The events of one stream in order. A stream that does not exist is empty. Linearizable unless the options say
   * otherwise: sees every append acknowledged before the call, to anyone, and those whose messages this store has handed out.
   */
  readStream<T extends E = E>(stream: string, options?: ReadStreamOptions): AsyncIterable<RecordedEvent<T>>

  /**
   * Appends atomically and durably (P2–P5). Concurrent appends never share a fate: one refused neighbour costs nobody else.
   * Order of the checks: idempotency key and event ids first (a repeat gets the first answer, whatever it expects), then the version.
   *
   * @throws ExpectedVersionConflictError with the true current version; nothing is written.
   */
  appendToStream(stream: string, events: readonly NewEvent<E>[], options?: AppendOptions): Promise<Appended>

  /** Folds a stream (or its tail after `from`) into a state. */
  aggregateStream<State, T extends E = E>(
    stream: string,
    options: AggregateOptions<State, T>,
  ): Promise<Aggregated<State>>

  /** The streams of this store in no promised order; linearizable like a read. */
  listStreams(): AsyncIterable<StreamInfo>

  /**
   * Resolves with the stream's current version as soon as that is at least `version`; at once if it is already.
   * Rejects with ABORTED when the signal fires, STORE_CLOSED when the store closes.
   */
  waitForVersion(stream: string, version: number, options?: { readonly signal?: AbortSignal }): Promise<number>

  /**
   * Reads topics as a member of a group: each partition has one owner in the group at a time, its messages come in
   * order, one handler call at a time per partition, different partitions side by side. Starts at once.
   */
  consume(options: ConsumeOptions<E>): Consumer

  /**
   * Partitions from these places on: what is there and then what comes, each partition in order, without a gap or a
   * repeat, as no group's member. Read batch by batch at the iterating program's pace. Ends without an error when the
   * signal fires or the store closes; a broker that is away is waited for. `subscribe` is this with manners.
   */
  followPartitions(
    from: readonly PartitionPosition[],
    options?: FollowPartitionsOptions,
  ): AsyncIterable<PartitionBatch<E>>

  /**
   * Where each partition of a topic ends at the moment: every message acknowledged before the call lies below `end`.
   * Empty for a topic that does not exist yet.
   */
  partitionEnds(topic: string): Promise<readonly PartitionPosition[]>

  /** Folded states kept beside the log; see `AggregateOptions.snapshot`. Never truth: delete them at any time. */
  readonly snapshots: SnapshotStore

  /** Where this backing keeps data that is too large for its log. */
  readonly blobs?: BlobStore

  /**
   * Views kept in the transaction of the append. Absent where the log has no transaction that could hold them (Kafka); see
   * `startInlineProjection`.
   */
  readonly inlineViews?: InlineViews<E>

  /**
   * A record in bytes, where its message does not say them all: a stranger's, or one with a form of its own. Nothing where
   * the message is all there is, or the record is gone. Absent where a backing keeps messages only (memory, file).
   */
  readRaw?(place: PartitionPosition): Promise<RawRecord | undefined>

  /** Who is alive: failure detection for owners of claims. Never a lock: correctness rests on epochs in the log (P8). */
  readonly presence: Presence

  /** Finishes what was accepted, stops consumers, releases everything. Later calls reject with STORE_CLOSED. Idempotent. */
  close(): Promise<void>
}

/** Which part of a stream to read. */
export interface ReadStreamOptions {
  /** First stream position to return, from 1. Default 1. */
  readonly from?: number
  /** Last stream position to return. Default: the end at the time of the call. */
  readonly to?: number
  /** How many events at most. Default: all. */
  readonly maxCount?: number
  /** Default `linearizable`. */
  readonly consistency?: ReadConsistency
}

/**
 * What a read may miss. `linearizable`: nothing that was acknowledged before the call. `eventual`: the newest events, for
 * a moment (on Kafka it does not ask the broker, which saves a round trip); always a beginning of the stream without
 * gaps. In memory and in a file both read all there is.
 */
export type ReadConsistency = 'linearizable' | 'eventual'

/** Conditions of an append, and what travels with it in one transaction. */
export interface AppendOptions {
  /** Default NO_CONCURRENCY_CHECK. */
  readonly expectedStreamVersion?: ExpectedStreamVersion
  /** At most 256 characters; its scope is the stream. Needs at least one event to be carried by. */
  readonly idempotencyKey?: string
  /** Messages to other topics, in the same transaction. Default: none. */
  readonly outgoing?: readonly OutgoingMessage[]
  /** From a consumer's context: commits "this message is done" in the same transaction. */
  readonly checkpoint?: Checkpoint
  /**
   * How long it may wait to be begun, milliseconds: for room, for a broker, for another's lock. After that it is refused
   * with APPEND_TIMEOUT, or APPEND_QUEUE_FULL where it waited for room, and surely not written. Once begun its true
   * outcome is awaited, however long that takes (P4). Default: the store's `appendTimeoutMs`.
   */
  readonly appendTimeoutMs?: number
  /** Gives it up with ABORTED as long as it was not begun, and it is surely not written; after that it has no effect. */
  readonly signal?: AbortSignal
}

/** The answer to an append. */
export interface Appended {
  /** The one that was appended to. */
  readonly stream: string
  /** Position of the append's first event; `currentStreamVersion + 1` when it had none. */
  readonly firstStreamPosition: number
  /** The stream's version right after this append (for a repeat: after the first one). */
  readonly currentStreamVersion: number
  /** True when this append was the stream's first. */
  readonly createdNewStream: boolean
  /** True when this append had been made before (same idempotency key or same event ids) and nothing was written now. */
  readonly repeated: boolean
}

/** How a stream is folded. */
export interface AggregateOptions<State, E extends AnyEvent>
  extends Pick<Decider<State, never, E>, 'evolve' | 'initialState'> {
  /** A state known to be exact at a version: only the tail after it is read. Default: `initialState()` at 0. */
  readonly from?: { readonly state: State; readonly version: number }
  /**
   * Asked with the first event of a stream that is read from its beginning: the state to fold it on. For streams that go on
   * where another one was (a fork). Default: `initialState()`.
   */
  readonly stateBefore?: (first: RecordedEvent<E>) => Promise<State>
  /** Begin at the last snapshot of this kind, and leave a new one behind when it is time. Not used with `from`. Default: none. */
  readonly snapshot?: SnapshotOptions<State>
  /** As for a read. Default `linearizable`. */
  readonly consistency?: ReadConsistency
}

/** A stream folded to its end. */
export interface Aggregated<State> {
  /** The fold of all its events. */
  readonly state: State
  /** 0 when the stream does not exist. */
  readonly currentStreamVersion: number
  /** True when it has an event. */
  readonly streamExists: boolean
}

/** One stream of a store, in short. */
export interface StreamInfo {
  /** Its name. */
  readonly stream: string
  /** How many events it has. */
  readonly currentStreamVersion: number
  /** ISO time of the last event. */
  readonly lastEventAt: string
}

/** A consumer group's place in one partition: the next offset to read. Opaque but for its reading; take it from a context. */
export interface Checkpoint {
  /** Whose. */
  readonly group: string
  /** Where. */
  readonly topic: string
  /** Where, from 0. */
  readonly partition: number
  /** Of the next message: all before it are done. */
  readonly offset: number
  /** Proof of ownership; an append with a checkpoint whose owner lost the partition is refused with CHECKPOINT_FENCED where the backing can tell. */
  readonly owner?: string
}

/** A place in a partition: the offset of the next message, there or yet to come. */
export interface PartitionPosition {
  /** Which. */
  readonly topic: string
  /** Which, from 0. */
  readonly partition: number
  /** Of the next message. */
  readonly offset: number
}

/** How partitions are followed. */
export interface FollowPartitionsOptions {
  /** Ends it, without an error. */
  readonly signal?: AbortSignal
  /** Only these messages; asked before a catalogue looks at the data, so that what is not wanted need not be readable. */
  readonly select?: (message: RecordedMessage | RecordedEvent) => boolean
  /** Hears of a message that the store's catalogue cannot read, and it is passed over. Default: the iteration rejects. */
  readonly unreadable?: (error: unknown, message: RecordedMessage | RecordedEvent) => void
}

/** What came of one partition. */
export interface PartitionBatch<E extends AnyEvent = AnyEvent> {
  /** Possibly none: positions move past what was not wanted or is no message. */
  readonly messages: readonly (RecordedMessage<E> | RecordedEvent<E>)[]
  /** Where to go on after them. */
  readonly position: PartitionPosition
}

/**
 * Checkpoints kept outside the log, beside the effect they belong to (in the same database transaction, say). The group
 * then only shares the partitions among its members; its own checkpoints are neither read nor moved.
 */
export interface OwnCheckpoints {
  /**
   * The next offset to read, asked each time a partition is taken; nothing: as the group's `from` says. Rejects to try
   * again after a pause.
   */
  load(topic: string, partition: number): Promise<number | undefined>
  /**
   * All that there is at the moment was handled, up to `position`: time to store what is still in hand. Awaited; when it
   * rejects it is called again after a pause. At least once after a partition was taken.
   */
  caughtUp?(position: PartitionPosition): Promise<void>
}

/** What a consumer reads, as which group, and what it does with it. */
export interface ConsumeOptions<E extends AnyEvent = AnyEvent> {
  /** Its members share the partitions; names its checkpoints. */
  readonly group: string
  /** What it reads, at least one. */
  readonly topics: readonly string[]
  /** Where a group without a checkpoint begins. Default 'beginning'. */
  readonly from?: 'beginning' | 'end'
  /**
   * Handles one message. When it resolves, the message is done and the checkpoint moves past it, unless an append
   * carried `context.checkpoint` already. When it rejects, `onError` hears of it and the same message comes again
   * after a pause (100 ms, doubling to 5 s): a message is never skipped.
   */
  readonly handler: (message: RecordedMessage<E> | RecordedEvent<E>, context: ConsumerContext) => Promise<void>
  /**
   * How many messages of one partition may be in the handler's hands at once. Default 1: one after the other. With more,
   * it is called without waiting for the calls before; what keeps an order among them is the handler's business. The
   * checkpoint moves past a message only when all before it are done (P6), so at most so many come again after a crash.
   */
  readonly maxInFlight?: number
  /**
   * Only these messages; the checkpoint moves past the others. Asked before a catalogue looks at the data, so that what is
   * not wanted need not be readable; not about records that are no messages. Where it throws `onError` hears of it, and the
   * message counts as wanted.
   */
  readonly select?: (message: RecordedMessage | RecordedEvent) => boolean
  /**
   * Called when a partition was taken, before its first message, and awaited. When it rejects, `onError` hears of it, the
   * partition waits, and it is called again after a pause.
   */
  readonly onTaken?: (partition: TakenPartition) => Promise<void> | void
  /** Default: the group's checkpoints, in the log. */
  readonly checkpoints?: OwnCheckpoints
  /**
   * Handles a message that the store's catalogue cannot read: an unknown type (UNKNOWN_EVENT_TYPE), a newer version
   * (EVENT_VERSION_NEWER), data it refuses (INVALID_EVENT). The message is as it was stored. Default: as if the handler
   * had rejected, so the partition waits for a program that can read it.
   */
  readonly unreadable?: (
    error: unknown,
    message: RecordedMessage | RecordedEvent,
    context: ConsumerContext,
  ) => Promise<void>
  /**
   * Handles a record that is no message: no key, no value, no JSON (RECORD_UNREADABLE says what). The message is what could
   * be made of it; `readRaw` has the rest. Only where others may write (Kafka). Default: passed over, said to the log.
   */
  readonly stranger?: (error: unknown, message: RecordedMessage, context: ConsumerContext) => Promise<void>
  /**
   * Hears of what went wrong: a handler that rejected, or reading itself (then without a message). Default: the store's logger
   * hears of the first time, the 10th, the 100th …
   */
  readonly onError?: (error: unknown, message: RecordedMessage | undefined, attempt: number) => void
}

/** A partition that a consumer has, until `signal` fires. */
export interface TakenPartition {
  /** Which. */
  readonly topic: string
  /** Which, from 0. */
  readonly partition: number
  /** Fires when the partition is taken away or the consumer stops. */
  readonly signal: AbortSignal
  /** The first offset not known to be done. */
  position(): number
  /** When the oldest message that was read and is not done was written (ISO); nothing: there is none. */
  oldestTimestamp(): string | undefined
}

/** What a handler gets beside its message. */
export interface ConsumerContext {
  /**
   * What to pass to an append so that handling and effect become one (P2, P6). With `maxInFlight` above 1 it is read anew
   * each time: past this message if all before it are done, else how far that is.
   */
  readonly checkpoint: Checkpoint
  /** Fires when the partition is taken away or the consumer stops: give up what is not yet durable. */
  readonly signal: AbortSignal
}

/** A running member of a consumer group. */
export interface Consumer {
  /** Resolves when the group membership stands and partitions are assigned for the first time (possibly none). */
  readonly ready: Promise<void>
  /**
   * Resolves when it has stopped: with nothing by `stop`, or because its store closed; with the reason where it cannot go on
   * (CHECKPOINT_AHEAD: its checkpoint lies behind the log's end; `onError` heard of it). Never rejects.
   */
  readonly ended: Promise<DuologError | undefined>
  /** Stops reading, waits for running handlers (their signal fires), gives the partitions back. Idempotent. */
  stop(): Promise<void>
}

/** Says which owners of claims are alive. */
export interface Presence {
  /** Says "this owner lives in this process" until withdrawn, the store closes, or the process dies. */
  announce(owner: string): Promise<Announcement>
  /**
   * 'dead' is a verdict: the owner withdrew, its process ended, or it was silent for the store's lease time.
   * 'unknown' means: not yet sure, ask again.
   */
  liveness(owner: string): Promise<Liveness>
}

/** A verdict about an owner; see {@link Presence.liveness}. */
export type Liveness = 'alive' | 'dead' | 'unknown'

/** A standing "this owner is alive". */
export interface Announcement {
  /** Says that the owner is gone; its liveness is then `dead`. */
  withdraw(): Promise<void>
}
