import type { AnyEvent } from '../core/event.ts'
import type { Logger } from '../core/logger.ts'
import type { Appended, EventStore, PartitionPosition } from '../store/event-store.ts'
import type { PoisonOptions } from './poison-policy.ts'
import type { Projected, Projection } from './projection.ts'
import type { ListRowsOptions, ViewBuild, ViewRow, ViewStore } from './view-store.ts'

/** What `startProjection` takes. */
export interface StartProjectionOptions<Row, E extends AnyEvent> extends PoisonOptions {
  /** The log it reads. */
  readonly store: EventStore<E>
  /** One that takes all events of the store; one with handlers takes any. */
  readonly projection: Projection<Row, never> & NoInfer<Projection<Row, E>>
  /** Default: `memoryViews()`. It is yours to close, after the projection. */
  readonly views?: ViewStore
  /** Messages applied in one transaction at most. Default 500. */
  readonly maxBatchMessages?: number
  /** When its functions keep the event loop from turning for so long, `onError` hears EVENT_LOOP_BLOCKED. Default 1,000. */
  readonly blockedAfterMs?: number
  /** Hears of each message that was passed over or put aside; again when the view is built again. */
  readonly onSkipped?: (message: Projected, error: unknown) => void
  /** Hears what it does not get on at, again and again, and of a blocked event loop. Default: the store's logger, the first time, the 10th, the 100th … */
  readonly onError?: (error: unknown) => void
  /** Hears what `onError` and `onSkipped` hear. Default: the store's, of what neither of them hears. */
  readonly logger?: Logger
}

/** An append's answer, an event, or a place in a stream: what a reader wants to see applied. */
export type WaitTarget =
  | Pick<Appended, 'stream' | 'currentStreamVersion'>
  | { readonly topic: string; readonly partition: number; readonly offset: number }

/** How long to wait. */
export interface WaitForOptions {
  /** Milliseconds. Default 30,000. */
  readonly timeoutMs?: number
  /** Gives the waiting up, with ABORTED. */
  readonly signal?: AbortSignal
}

/** How far the live build is behind in one partition. */
export interface ProjectionLag extends PartitionPosition {
  /** How many offsets it is behind the log's end. On Kafka markers of transactions count too. */
  readonly offset: number
  /** How long its oldest message waits that was read and not applied; nothing: another instance has the partition. */
  readonly seconds?: number
}

/** How far a projection is. */
export interface ProjectionStatus {
  /** The build that reads see. */
  readonly live: ViewBuild
  /** By partition. */
  readonly lag: readonly ProjectionLag[]
  /** How long the oldest message waits that this instance has read and not applied; 0 when there is none. */
  readonly lagSeconds: number
  /** The build beside it, if there is one: offsets applied, and how many there were when asked. */
  readonly building?: ViewBuild & { readonly applied: number; readonly end: number }
}

/** A running projection; every read sees the live build. */
export interface RunningProjection<Row> {
  /** Resolves when this instance has its share of the partitions. Rejects with CHECKPOINT_AHEAD, INVALID_ARGUMENT. */
  readonly ready: Promise<void>
  /** The row with this key. `after`: waits until that is applied, so that a writer reads what it wrote. */
  get(key: string, options?: WaitForOptions & { readonly after?: WaitTarget }): Promise<Row | undefined>
  /** Rows of the live build in the order of their keys. */
  list(options?: ListRowsOptions): Promise<readonly ViewRow<Row>[]>
  /**
   * Resolves when it is applied in the live build.
   *
   * @throws TIMEOUT, ABORTED; where the partition does not get on, the message says why and `cause` is that failure.
   */
  waitFor(target: WaitTarget, options?: WaitForOptions): Promise<void>
  /** Builds the view again from the log's beginning, beside the live one; resolves when it has taken its place. */
  rebuild(): Promise<void>
  /** Rejects with CHECKPOINT_AHEAD when what was applied is not of this log. */
  status(): Promise<ProjectionStatus>
  /**
   * Resolves when it has stopped, with the reason if a policy (`poison`, `unreadable`, `stranger`) asked for it or it cannot go
   * on: a newer version took its place, or the topic was made anew (CHECKPOINT_AHEAD).
   */
  readonly stopped: Promise<string | undefined>
  /** Stops following; what was applied stays. Idempotent. */
  stop(): Promise<void>
}
