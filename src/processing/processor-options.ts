import type { Clock } from '../core/clock.ts'
import type { AnyEvent, NewEvent } from '../core/event.ts'
import type { Logger } from '../core/logger.ts'
import type { Appended, AppendOptions, Checkpoint, Consumer, EventStore } from '../store/event-store.ts'
import type { BreakerStatus, CircuitBreaker, CircuitBreakerOptions } from './circuit-breaker.ts'
import type { Projected } from './projection.ts'
import type { RetryPolicy } from './retry-policy.ts'

/** What shall become of a message; nothing returned means `done`. */
export type Outcome =
  /** The checkpoint moves past it. */
  | { readonly kind: 'done' }
  /** The same message again after a pause; what keeps its order waits. Not counted as a failure. */
  | { readonly kind: 'retryAfter'; readonly afterMs: number }
  /** Put aside, the partition goes on. */
  | { readonly kind: 'deadLetter'; readonly reason: string }
  /** The processor stops; the message is not done. */
  | { readonly kind: 'stop'; readonly reason: string }

/** What a handler gets beside its message. */
export interface ProcessorContext<E extends AnyEvent = AnyEvent> {
  /**
   * For an append of your own; {@link append} brings it along. In the order of a key it may lie before this message: its
   * append then needs an idempotency key.
   */
  readonly checkpoint: Checkpoint
  /** Fires when the partition is taken away, the processor stops, or the time limit is over. */
  readonly signal: AbortSignal
  /** From 1; grows when the handler failed or asked for a retry. */
  readonly attempt: number
  /** How often the message was put aside and sent again. */
  readonly redrives: number
  /**
   * Appends exactly once, however often the message comes: with the checkpoint where that is possible, under an idempotency
   * key made of the group and the message (unless you give one). Once per message: what belongs together is one append.
   *
   * @throws ABORTED when this attempt is over.
   */
  append(stream: string, events: readonly NewEvent<E>[], options?: Omit<AppendOptions, 'checkpoint'>): Promise<Appended>
}

/** What becomes of what cannot be read. */
export type Unreadable = 'wait' | 'skip' | 'deadLetter' | 'stop'

/** What both kinds of processors take. */
export interface ProcessorBase<E extends AnyEvent> {
  /** The log it reads, and puts dead letters into. */
  readonly store: EventStore<E>
  /** Its members share the partitions; names its checkpoints. */
  readonly group: string
  /** Default: the event topic. */
  readonly topics?: readonly string[]
  /** The topic the store keeps events in. Default: the store's. */
  readonly eventTopic?: string
  /** Where a group without a checkpoint begins. Default `beginning`. */
  readonly from?: 'beginning' | 'end'
  /** When a handler that rejected is tried again; after the last try the message is put aside. */
  readonly retry?: RetryPolicy
  /** Pauses before a next try go by it. Default: the system's; a test's own need not really wait. */
  readonly clock?: Clock
  /** Opens after many failures in a row: the partitions then wait and no message is burned. Default: none. */
  readonly breaker?: CircuitBreakerOptions | CircuitBreaker
  /** A handler that takes longer has failed (TIMEOUT); its signal fires. Default: no limit. */
  readonly timeoutMs?: number
  /** When a handler is at work for so long `onError` hears HANDLER_SLOW, again after twice as long. Default 30,000. */
  readonly slowAfterMs?: number
  /**
   * How long a running handler may go on when the partition is taken away, or the processor stops (its signal then fires after
   * half of it). Default 5,000.
   */
  readonly graceMs?: number
  /** When handlers keep the event loop from turning for so long, `onError` hears EVENT_LOOP_BLOCKED. Default 1,000. */
  readonly blockedAfterMs?: number
  /**
   * A message the store's catalogue cannot read: unknown type, newer version, data it refuses. `wait` (default): it holds its
   * place until a program that can read it is started; `skip`: passed over; `deadLetter`: put aside; `stop`: the processor
   * stops.
   */
  readonly unreadable?: Unreadable
  /** A record in the topic that is no message (no key, no value, no JSON), as strangers may write it. Default `deadLetter`. */
  readonly stranger?: Unreadable
  /** Hears of each try that failed, of slow handlers and a blocked event loop. Default: the store's logger hears of some. */
  readonly onError?: (error: unknown, message: Projected | undefined, attempt: number) => void
  /**
   * Hears of what `onError` hears, and of what was put aside. Default: the store's, of what no listener here hears; of what
   * fails again and again the first time, the 10th, the 100th …
   */
  readonly logger?: Logger
}

/** What {@link startProcessor} takes. */
export interface ProcessorOptions<E extends AnyEvent> extends ProcessorBase<E> {
  /** When it rejects, it is tried again as `retry` says; then the message is put aside. */
  readonly handler: (
    message: Projected<E>,
    context: ProcessorContext<E>,
  ) => Promise<Outcome | undefined> | Promise<void>
  /**
   * What is kept in order. `partition` (default): each message waits for the one before; a failing one holds up its
   * partition. `key`: messages of different keys go side by side; behind one that waits for its retry only its key waits.
   */
  readonly order?: 'partition' | 'key'
  /** Handler calls at once per partition; more than 1 means `order: 'key'`. Default 1, with `order: 'key'` 8. */
  readonly concurrency?: number
  /**
   * Messages per partition that may be read and not done, with `order: 'key'`. So many come again after a crash at most;
   * when so many wait, the partition is not read on. Default 1,000.
   */
  readonly maxInFlight?: number
}

/** What `startBatchProcessor` takes. */
export interface BatchProcessorOptions<E extends AnyEvent> extends ProcessorBase<E> {
  /**
   * Gets messages of one partition, in order, one batch at a time; its answer is about all of them. When tries are used up
   * each message is handled by itself, as a batch of one, so that only what is really wrong is put aside.
   */
  readonly handleBatch: (
    messages: readonly Projected<E>[],
    context: ProcessorContext<E>,
  ) => ReturnType<ProcessorOptions<E>['handler']>
  /** Default 100. */
  readonly maxBatchMessages?: number
  /** How long the first message of a batch waits for others, milliseconds. Default 20. */
  readonly maxBatchWaitMs?: number
}

/** A message that waits for its next try. */
export interface ParkedMessage {
  /** Where it lies. */
  readonly topic: string
  /** Where it lies. */
  readonly partition: number
  /** Where it lies. */
  readonly offset: number
  /** Of the message. */
  readonly key: string
  /** Of the message. */
  readonly type: string
  /** The try that failed last, from 1. */
  readonly attempt: number
  /** ISO time of the next try. */
  readonly dueAt: string
  /** Why it failed. */
  readonly reason: string
  /**
   * Messages that were read and wait behind it: of its key; in batches of its partition. With `order: 'partition'` none is
   * read meanwhile: `lag` tells.
   */
  readonly waitingBehind: number
}

/** How far a partition of this processor is behind. */
export interface PartitionLag {
  /** Which. */
  readonly topic: string
  /** Which, from 0. */
  readonly partition: number
  /** Offsets between what is done and the end. On Kafka markers of transactions count too. */
  readonly records: number
  /** Age of the oldest message that was read and is not done; 0 when there is none. */
  readonly seconds: number
}

/** A running processor. */
export interface Processor extends Consumer {
  /** Resolves when it has stopped, with the reason if a handler asked for it, or if it cannot go on (CHECKPOINT_AHEAD). */
  readonly stopped: Promise<string | undefined>
  /** No handler is called and nothing put aside until `resume`; those at work finish. The partitions stay with this member. */
  pause(): void
  /** Goes on after `pause`; has no effect once it was stopped. */
  resume(): void
  /** True while no handler is called: after `pause`, and while it stops. */
  readonly isPaused: boolean
  /** How far this member's partitions are behind; other members tell of theirs. */
  lag(): Promise<readonly PartitionLag[]>
  /**
   * The messages that wait for their next try; of a batch its first. They are not done: after a crash they come again, in
   * order. Other members tell of theirs.
   */
  parked(): readonly ParkedMessage[]
  /** Nothing when it has none. */
  readonly breaker: BreakerStatus | undefined
  /** Calls no handler any more; those at work have `graceMs` to finish, after half of it their signals fire. Idempotent. */
  stop(): Promise<void>
}
