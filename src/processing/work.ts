import type { AnyEvent } from '../core/event.ts'
import type { Checkpoint, ConsumerContext } from '../store/event-store.ts'
import { type Effect, effectOf, redrivesOf } from './dead-letter.ts'
import type { Projected } from './projection.ts'

/** What a handler gets at once: one message, or a batch of them in order. */
export interface Work<E extends AnyEvent> {
  readonly messages: readonly Projected<E>[]
  /** How often the most often redriven one of them was redriven. */
  readonly redrives: number
  /** Fires when the partition is taken away or the consumer stops. */
  readonly signal: AbortSignal
  checkpoint(): Checkpoint
  /** The one past this work; nothing while something before it is not done. */
  ownCheckpoint(): Checkpoint | undefined
  /** What its handler appended, however it went on: all further tries, also one by one or redriven, are answered by it. */
  readonly effect: EffectSlot
}

/** Resolves when the append under way is over; nothing: nothing was appended. */
export interface EffectSlot {
  known: Promise<Effect | undefined> | undefined
}

/** Only one past the message itself moves with what is appended for it (P6). */
export function ownCheckpoint(message: Projected, { checkpoint }: ConsumerContext): Checkpoint | undefined {
  return checkpoint.offset > message.offset ? checkpoint : undefined
}

export function workOf<E extends AnyEvent>(message: Projected<E>, context: ConsumerContext, group: string): Work<E> {
  const own = () => ownCheckpoint(message, context)
  const { signal } = context
  const redrives = redrivesOf(message)
  const known = effectOf(message, group)
  const effect: EffectSlot = { known: known && Promise.resolve(known) }
  return { messages: [message], redrives, signal, checkpoint: () => context.checkpoint, ownCheckpoint: own, effect }
}

/** Messages that follow each other, all before them done: the checkpoint past the last is the batch's own. */
export function batchOf<E extends AnyEvent>(
  messages: readonly [Projected<E>, ...Projected<E>[]],
  context: ConsumerContext,
): Work<E> {
  const last = messages[messages.length - 1] ?? messages[0]
  const past = (): Checkpoint => ({ ...context.checkpoint, offset: last.offset + 1 })
  const redrives = Math.max(...messages.map(redrivesOf))
  const { signal } = context
  return { messages, redrives, signal, checkpoint: past, ownCheckpoint: past, effect: { known: undefined } }
}
