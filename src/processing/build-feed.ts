import { type DuologError, isDuologError } from '../core/errors.ts'
import type { AnyEvent } from '../core/event.ts'
import { reach } from '../core/reach.ts'
import type { Consumer, ConsumerContext, EventStore, PartitionPosition, TakenPartition } from '../store/event-store.ts'
import { systemClock } from '../store/system.ts'
import { checkpointFenced } from './checkpoint-fenced.ts'
import { watched } from './long-call.ts'
import { placeOf, secondsSince } from './partition-lag.ts'
import type { PoisonPolicy } from './poison-policy.ts'
import {
  type PendingMessage,
  type Projected,
  type Projection,
  type ProjectionFailedError,
  project,
  topicsOf,
} from './projection.ts'
import type { ViewBuild, ViewStore } from './view-store.ts'

/*
 * Keeps one build of a view up to date: gathers messages per partition and applies them in one transaction with the
 * checkpoint, when there are many or when there are no more at the moment.
 *
 * P6 What is in hand was not acknowledged to anybody: it is read again from the view's own checkpoint.
 */

export interface BuildFeedOptions<Row, E extends AnyEvent> {
  readonly store: EventStore<E>
  readonly projection: Projection<Row, E>
  readonly views: ViewStore
  readonly build: ViewBuild
  readonly maxBatchMessages: number
  readonly poison: PoisonPolicy<E>
  readonly onError: (error: unknown, message: PartitionPosition | undefined) => void
  readonly blockedAfterMs: number | undefined
  /** Hears EVENT_LOOP_BLOCKED. */
  readonly onBlocked: (error: DuologError) => void
  /** After everything there was in a partition is applied. */
  readonly onCaughtUp: () => Promise<void>
  /** The build is gone: another one took its place. */
  readonly onGone: () => void
}

interface Hand<E extends AnyEvent> {
  readonly topic: string
  readonly partition: number
  /** The stored checkpoint. */
  from: number | undefined
  pending: PendingMessage<E>[]
  blocked: boolean
}

export class BuildFeed<Row, E extends AnyEvent> implements Consumer {
  readonly ready: Promise<void>
  readonly ended: Promise<DuologError | undefined>
  readonly build: ViewBuild
  readonly #options: BuildFeedOptions<Row, E>
  readonly #hands = new Map<string, Hand<E>>()
  readonly #taken = new Map<string, TakenPartition>()
  readonly #consumer: Consumer

  constructor(options: BuildFeedOptions<Row, E>) {
    this.#options = options
    this.build = options.build
    const { store, projection, views, onError, poison } = options
    const { name, version, generation } = options.build
    this.#consumer = store.consume({
      group: `projection.${name}.v${version}.${generation}.${views.id}`,
      topics: topicsOf(projection, store),
      checkpoints: {
        load: (topic, partition) => this.#load(topic, partition),
        caughtUp: (position) => this.#caughtUp(position),
      },
      onTaken: (partition) => void this.#taken.set(placeOf(partition), partition),
      handler: (message, context) => this.#take(message, { offset: message.offset, event: message }, context),
      unreadable: (error, message, context) => this.#unreadable(error, message, context),
      ...(poison.hearsOfStrangers && {
        stranger: (error: unknown, message: Projected, context: ConsumerContext) =>
          this.#unreadable(error, message, context),
      }),
      // That another owner has the partition, or the build is gone, is no failure: what is to be done is done.
      onError: (error, message) => {
        if (!isDuologError(error, 'CHECKPOINT_FENCED')) onError(error, message)
      },
    })
    this.ready = this.#consumer.ready
    this.ended = this.#consumer.ended
  }

  stop(): Promise<void> {
    return this.#consumer.stop()
  }

  /** By partition that this instance has: how long the oldest message waits that was read and not applied. */
  waitingSeconds(): ReadonlyMap<string, number> {
    const nowMs = systemClock.now()
    const waiting = [...this.#taken].flatMap(([key, taken]) => {
      if (taken.signal.aborted) return []
      const oldest = this.#hands.get(key)?.pending[0]?.event?.timestamp ?? taken.oldestTimestamp()
      return [[key, secondsSince(oldest, nowMs)] as const]
    })
    return new Map(waiting)
  }

  async #load(topic: string, partition: number): Promise<number | undefined> {
    const { views, build, onGone } = this.#options
    if (!(await views.exists(build))) {
      onGone()
      throw checkpointFenced('view that was replaced', { topic, partition })
    }
    const stored = await views.checkpoints(build)
    const from = stored.find((place) => place.topic === topic && place.partition === partition)?.offset
    this.#hands.set(placeOf({ topic, partition }), { topic, partition, from, pending: [], blocked: false })
    return from
  }

  async #take(place: Projected, pending: PendingMessage<E>, { signal }: ConsumerContext): Promise<void> {
    const hand = this.#hand(place)
    const last = hand.pending[hand.pending.length - 1]
    // It comes again when what was in hand could not be stored.
    if (pending.offset > (last?.offset ?? (hand.from ?? 0) - 1)) hand.pending.push(pending)
    const enough = hand.blocked || hand.pending.length >= this.#options.maxBatchMessages
    if (enough && !signal.aborted) await this.#store(hand, pending.offset + 1)
  }

  async #unreadable(error: unknown, message: Projected, context: ConsumerContext): Promise<void> {
    // What came before it is seen, however long it waits.
    await this.#store(this.#hand(message), message.offset)
    await this.#options.poison.meet(error, message)
    await this.#take(message, { offset: message.offset }, context)
  }

  async #caughtUp(position: PartitionPosition): Promise<void> {
    const hand = this.#hand(position)
    await this.#store(hand, position.offset)
    await this.#options.onCaughtUp()
  }

  /** Applies what is in hand and moves the checkpoint to `to`. */
  async #store(hand: Hand<E>, to: number): Promise<void> {
    for (;;) {
      try {
        await this.#apply(hand, hand.pending, Math.max(to, hand.from ?? 0))
        hand.blocked = false
        return
      } catch (error) {
        if (!isDuologError(error, 'PROJECTION_FAILED')) throw error
        await this.#meetPoison(hand, error as ProjectionFailedError)
      }
    }
  }

  /** What came before it is stored; then it is passed over, or everything behind it waits. */
  async #meetPoison(hand: Hand<E>, error: ProjectionFailedError): Promise<void> {
    const { offset: failedAt } = error.at
    const before = hand.pending.filter(({ offset }) => offset < failedAt)
    await this.#apply(hand, before, Math.max(failedAt, hand.from ?? 0))
    hand.blocked = true
    const [bad] = hand.pending
    if (bad?.event !== undefined) await this.#options.poison.meet(error, bad.event)
    hand.pending = [{ offset: failedAt }, ...hand.pending.slice(1)]
  }

  async #apply(hand: Hand<E>, messages: readonly PendingMessage<E>[], to: number): Promise<void> {
    const { views, build, projection } = this.#options
    const { topic, partition, from } = hand
    if (to !== from) {
      reach('projection.apply.begin')
      const what = () =>
        `Projection "${projection.name}", for ${messages.length} messages before offset ${to} of partition ${partition} of "${topic}",`
      const rows = (read: (key: string) => unknown) =>
        watched(what, () => project(projection, messages, read), this.#options)
      await views.apply(build, { topic, partition, from, to, rows })
    }
    hand.from = to
    hand.pending = hand.pending.filter(({ offset }) => offset >= to)
  }

  #hand(place: { readonly topic: string; readonly partition: number }): Hand<E> {
    const hand = this.#hands.get(placeOf(place))
    if (hand === undefined) throw checkpointFenced('view', place)
    return hand
  }
}

/** Names a partition. */
