import type { Clock } from '../core/clock.ts'
import { DuologError, isDuologError } from '../core/errors.ts'
import type { AnyEvent } from '../core/event.ts'
import { reach } from '../core/reach.ts'
import { describe, invalidArgument } from '../store/check-arguments.ts'
import { systemClock } from '../store/system.ts'
import { pause, pauseAfter, pauseBy, steadyMs } from '../store/wake-ups.ts'
import { loggerFor } from '../store/warning-logger.ts'
import { type CircuitBreaker, failuresToOpen } from './circuit-breaker.ts'
import type { Effect } from './dead-letter.ts'
import { EventLoopWatch } from './event-loop-watch.ts'
import { callWithin } from './handler-call.ts'
import { insist } from './insist.ts'
import { Gate, type Slots } from './key-lanes.ts'
import { DEFAULT_BLOCKED_AFTER_MS } from './long-call.ts'
import { orAborted } from './or-aborted.ts'
import { ParkedMessages } from './parked-messages.ts'
import { processorContext } from './processor-context.ts'
import type { Outcome, ProcessorBase, ProcessorContext } from './processor-options.ts'
import type { Projected } from './projection.ts'
import { isPointer, putAside, resolveFact, type Why, whyOf } from './put-aside.ts'
import { RetryPauses, type RetryPolicy, withSafeQuestion } from './retry-policy.ts'
import { tell } from './tell.ts'
import type { Work } from './work.ts'

/*
 * Brings a piece of work to an end, whatever its handler does: done, or put aside. It rejects only when the partition was
 * taken away or the processor stops; a store that is away is waited for.
 *
 * P6 What waits for its next try is not done: nothing of it is recorded anywhere, and the checkpoint stays before it.
 */

export type CallHandler<E extends AnyEvent> = (
  messages: readonly Projected<E>[],
  context: ProcessorContext<E>,
) => Promise<unknown>

export interface SettlerOptions<E extends AnyEvent> extends ProcessorBase<E> {
  readonly call: CallHandler<E>
  readonly circuit: CircuitBreaker | undefined
  /** A handler, or the policy, wants the processor to stop. */
  readonly onStop: (reason: string) => void
}

type Verdict = 'settled' | { readonly pauseMs: number; readonly reason: string }

const DEFAULT_SLOW_AFTER_MS = 30_000
const DEFAULT_GRACE_MS = 5_000
const LOOK_AGAIN_MS = 10

export class WorkSettler<E extends AnyEvent> {
  readonly gate = new Gate()
  readonly parked = new ParkedMessages()
  readonly #options: SettlerOptions<E>
  readonly #watch: EventLoopWatch<Projected>
  readonly #clock: Clock
  readonly #retry: RetryPolicy
  #endsMs: number | undefined

  constructor(options: SettlerOptions<E>) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#retry = withSafeQuestion(options.retry ?? {}, (error) => this.report(error, undefined, 1))
    this.#watch = new EventLoopWatch({
      blockedAfterMs: options.blockedAfterMs ?? DEFAULT_BLOCKED_AFTER_MS,
      onBlocked: (blockedMs, messages) => this.#blocked(blockedMs, messages),
    })
  }

  /** Handler calls under way. */
  get running(): number {
    return this.#watch.running
  }

  /** Calls no handler any more; resolves when those at work are done, or half of what they have is over. */
  async windUp(): Promise<void> {
    const { graceMs = DEFAULT_GRACE_MS } = this.#options
    this.gate.set(false)
    const beganMs = performance.now()
    this.#endsMs = beganMs + graceMs
    while (this.running > 0 && performance.now() - beganMs < graceMs / 2) await pause(LOOK_AGAIN_MS)
  }

  #graceMs(): number {
    const { graceMs = DEFAULT_GRACE_MS } = this.#options
    return this.#endsMs === undefined ? graceMs : Math.max(0, this.#endsMs - performance.now())
  }

  async settle(work: Work<E>, slots: Slots): Promise<void> {
    const delivered = work.messages
    const resolved = delivered.some((message) => isPointer(message, this.#options.group))
      ? await this.#resolve(work)
      : delivered
    const pauses = new RetryPauses(this.#retry, steadyMs(this.#clock))
    for (let attempt = 1; ; attempt++) {
      const verdict = await this.#try({ ...work, messages: resolved }, { attempt, pauses, slots, delivered })
      if (verdict === 'settled') return
      await this.#park(work, attempt, verdict)
    }
  }

  #resolve(work: Work<E>): Promise<readonly Projected<E>[]> {
    const { store, group } = this.#options
    return this.#insist(work, () => Promise.all(work.messages.map((message) => resolveFact(store, message, group))))
  }

  /** A message that cannot be handed to a handler. */
  async unreadable(error: unknown, work: Work<E>): Promise<void> {
    const { unreadable: ofCatalogue = 'wait', stranger = 'deadLetter' } = this.#options
    const unreadable = isDuologError(error, 'RECORD_UNREADABLE') ? stranger : ofCatalogue
    const [message] = work.messages
    const reason = whyOf(error).reason
    await this.gate.pass(work.signal)
    this.report(error, message, 1)
    if (unreadable === 'deadLetter') await this.#putAside(work, work.messages, { attempts: 1, why: whyOf(error) })
    if (unreadable === 'stop') return this.#stop(work, `It came to a message it cannot read: ${reason}`)
    for (let attempt = 2; unreadable === 'wait'; attempt++) {
      await this.#park(work, attempt - 1, { pauseMs: pauseAfter(attempt), reason })
      this.report(error, message, attempt)
    }
  }

  report(error: unknown, message: Projected | undefined, attempt: number): void {
    const { group, onError } = this.#options
    const { topic, partition, offset, type, eventId } = message ?? {}
    const fields = { err: error, group, topic, partition, offset, type, message: eventId, attempt }
    loggerFor(this.#options, onError, attempt).warn(fields, 'A handler failed')
    tell(() => onError?.(error, message, attempt))
  }

  async #try(work: Work<E>, { attempt, pauses, slots, delivered }: Try<E>): Promise<Verdict> {
    const call = { attempt, slots, isProbe: false }
    try {
      const outcome = await this.#call(work, call)
      if (outcome.kind === 'retryAfter') return { pauseMs: outcome.afterMs, reason: 'its handler asked for it' }
      if (outcome.kind === 'stop') await this.#stop(work, outcome.reason)
      if (outcome.kind === 'deadLetter')
        await this.#putAside(work, delivered, { attempts: attempt, why: { ...outcome, error: 'deadLetter' } })
      return 'settled'
    } catch (error) {
      if (work.signal.aborted || isDuologError(error, 'CHECKPOINT_FENCED')) throw error
      this.report(error, work.messages[0], attempt)
      if (call.isProbe && this.#isServiceAway(pauses)) return { pauseMs: 0, reason: whyOf(error).reason }
      return this.#afterFailure(work, { attempt, pauses, slots, delivered }, error)
    }
  }

  /** A try that opened the breaker again is not its message's failure, unless that message alone may have opened it. */
  #isServiceAway(pauses: RetryPauses): boolean {
    const { circuit } = this.#options
    return circuit?.status.state === 'open' && pauses.attempts < failuresToOpen(circuit)
  }

  async #afterFailure(work: Work<E>, { attempt, pauses, slots, delivered }: Try<E>, error: unknown): Promise<Verdict> {
    const pauseMs = pauses.afterFailure(error, steadyMs(this.#clock))
    if (pauseMs !== undefined) return { pauseMs, reason: whyOf(error).reason }
    if (delivered.length > 1) await this.#oneByOne({ ...work, messages: delivered }, slots)
    else await this.#putAside(work, delivered, { attempts: attempt, why: whyOf(error) })
    return 'settled'
  }

  /** What is wrong with a batch is often wrong with one message: that one is put aside, the others are not. */
  async #oneByOne(work: Work<E>, slots: Slots): Promise<void> {
    const appended = await effectOf(work)
    for (const message of work.messages) {
      // What the batch appended stands for each of them, and carried the checkpoint past all.
      const past = () => ({ ...work.checkpoint(), offset: message.offset + 1 })
      const checkpoint = appended === undefined ? past : work.checkpoint
      const effect = { known: appended && Promise.resolve(appended) }
      await this.settle({ ...work, messages: [message], checkpoint, ownCheckpoint: checkpoint, effect }, slots)
    }
  }

  async #call(work: Work<E>, called: Call): Promise<Outcome> {
    const { circuit } = this.#options
    const { attempt, slots } = called
    const { signal } = work
    await this.gate.pass(signal)
    const call = () => {
      called.isProbe = circuit?.status.state === 'half-open'
      return this.#callHandler(work, attempt)
    }
    // Within the slot: who was let through and waits for one would be called though it opened meanwhile.
    return slots.use(() => (circuit === undefined ? call() : circuit.run(call, signal)), signal)
  }

  async #callHandler(work: Work<E>, attempt: number): Promise<Outcome> {
    const { store, group, call, timeoutMs, slowAfterMs = DEFAULT_SLOW_AFTER_MS } = this.#options
    const graceMs = () => this.#graceMs()
    const [message] = work.messages
    const onSlow = (tookMs: number) => this.#slow(tookMs, message as Projected, attempt)
    await this.gate.pass(work.signal)
    reach('processor.handle.begin')
    const outcome = await this.#watch.during(message as Projected, () =>
      callWithin({ timeoutMs, slowAfterMs, graceMs, onSlow }, work.signal, async (signal) =>
        call(work.messages, processorContext({ store, group, work, attempt, signal })),
      ),
    )
    reach('processor.handle.done')
    return checked(outcome)
  }

  async #park(work: Work<E>, attempt: number, verdict: Exclude<Verdict, 'settled'>): Promise<void> {
    const [message] = work.messages
    reach('processor.park.begin')
    const dueMs = this.#clock.now() + verdict.pauseMs
    const unpark = this.parked.add({ message: message as Projected, attempt, dueMs, reason: verdict.reason })
    await pauseBy(this.#clock, verdict.pauseMs, work.signal)
    unpark()
    work.signal.throwIfAborted()
    reach('processor.park.done')
  }

  async #putAside(
    work: Work<E>,
    messages: readonly Projected[],
    { attempts, why }: { readonly attempts: number; readonly why: Why },
  ): Promise<void> {
    const { store, group } = this.#options
    const effect = await effectOf(work)
    for (const message of messages) {
      await this.#insist(work, async () => {
        // Of a batch only what is past this one: the others are not put aside yet.
        const own = work.ownCheckpoint()
        const checkpoint = own && (effect === undefined ? { ...own, offset: message.offset + 1 } : own)
        await putAside(store, { message, group, attempts, why, checkpoint, effect })
      })
      const { topic, partition, offset, type } = message
      const fields = { group, topic, partition, offset, type, attempts }
      loggerFor(this.#options, this.#options.onError).warn(fields, `A message was put aside: ${why.reason}`)
    }
  }

  /** Until the store has done it. */
  #insist<T>({ signal, messages: [message] }: Work<E>, step: () => Promise<T>): Promise<T> {
    return insist(step, { signal, onFailure: (error, attempt) => this.report(error, message, attempt) })
  }

  /** Never returns: the work is not done. */
  async #stop(work: Work<E>, reason: string): Promise<never> {
    this.#options.onStop(reason)
    await this.gate.pass(work.signal)
    throw new DuologError('ABORTED', `The processor stops: ${reason}`)
  }

  #slow(tookMs: number, message: Projected, attempt: number): void {
    const { group, onError } = this.#options
    const { topic, partition, offset, type } = message
    const fields = { group, topic, partition, offset, type, tookMs }
    loggerFor(this.#options, onError).warn(fields, 'A handler is at work for long')
    tell(() => onError?.(handlerSlow(tookMs, message), message, attempt))
  }

  #blocked(blockedMs: number, messages: readonly Projected[]): void {
    const error = loopBlocked(blockedMs, messages)
    const { group, onError } = this.#options
    loggerFor(this.#options, onError).error({ err: error, group, blockedMs }, 'The event loop was blocked')
    tell(() => onError?.(error, messages[0], 1))
  }
}

interface Call {
  readonly attempt: number
  readonly slots: Slots
  /** The breaker let it try whether it works again. */
  isProbe: boolean
}

interface Try<E extends AnyEvent> {
  readonly attempt: number
  readonly pauses: RetryPauses
  readonly slots: Slots
  /** As they came; a redriven event is a pointer there. */
  readonly delivered: readonly Projected<E>[]
}

const KINDS: readonly unknown[] = ['done', 'retryAfter', 'deadLetter', 'stop']

function checked(given: unknown): Outcome {
  if (given === undefined) return { kind: 'done' }
  const outcome = given as Partial<Record<string, unknown>> | null
  if (!KINDS.includes(outcome?.kind)) {
    throw invalidArgument(`A handler must return nothing or { kind: ${KINDS.join(' | ')} }, got ${describe(given)}.`)
  }
  const isPause = typeof outcome?.afterMs === 'number' && outcome.afterMs >= 0 && outcome.afterMs <= MAX_PAUSE_MS
  if (outcome?.kind === 'retryAfter' && !isPause) {
    const got = describe(outcome.afterMs)
    throw invalidArgument(`A handler's retryAfter needs afterMs, milliseconds from 0 to ${MAX_PAUSE_MS}, got ${got}.`)
  }
  if ((outcome?.kind === 'deadLetter' || outcome?.kind === 'stop') && typeof outcome.reason !== 'string') {
    throw invalidArgument(`A handler's ${outcome.kind} needs a reason, text, got ${describe(outcome.reason)}.`)
  }
  return given as Outcome
}

/** What a timer can wait. */
const MAX_PAUSE_MS = 2_147_483_647

/** Also of an append that is under way, though its attempt is over. */
async function effectOf<E extends AnyEvent>({ effect, signal }: Work<E>): Promise<Effect | undefined> {
  return effect.known && orAborted(effect.known, signal)
}

function handlerSlow(tookMs: number, { type, key, topic, partition, offset }: Projected): DuologError {
  return new DuologError(
    'HANDLER_SLOW',
    `A handler is at work for ${tookMs} ms on ${type} of "${key}" (offset ${offset} of partition ${partition} of ` +
      `"${topic}") and goes on; what is behind it waits. If it may hang, give it timeoutMs.`,
  )
}

function loopBlocked(blockedMs: number, messages: readonly Projected[]): DuologError {
  const at = messages.slice(0, 5).map(({ type, topic, partition, offset }) => `${type} ${topic}/${partition}/${offset}`)
  return new DuologError(
    'EVENT_LOOP_BLOCKED',
    `The event loop stood still for ${blockedMs} ms, and timers, heartbeats and other handlers with it, while handlers were ` +
      `at work on ${at.join(', ')}. Move long computations to a worker thread, or let them pause. (A process that was ` +
      'suspended looks the same.)',
  )
}
