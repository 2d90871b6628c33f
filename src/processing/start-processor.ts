import { type AnyEvent, isRecordedEvent, type RecordedEvent } from '../core/event.ts'
import { type Logger, silentLogger } from '../core/logger.ts'
import { reach } from '../core/reach.ts'
import { describe, invalidArgument } from '../store/check-arguments.ts'
import type { Consumer, ConsumerContext, EventStore } from '../store/event-store.ts'
import { systemClock } from '../store/system.ts'
import { DEFAULT_EVENT_TOPIC } from '../store/topics.ts'
import { pause } from '../store/wake-ups.ts'
import {
  deadLetterEventNames,
  deadLetterStream,
  factOf,
  redriveHeaders,
  redriveTopic,
  toCopy,
  toLetter,
} from './dead-letter.ts'
import { processEventNames } from './process-events.ts'
import type { Projected } from './projection.ts'
import { pauseBeforeRetry, type RetryPolicy } from './retry-policy.ts'

/*
 * A consumer whose handler answers with what shall become of the message.
 *
 * P2 P6 A dead letter, its copy and the checkpoint are one append: no message is lost between two topics.
 */

/** What shall become of a message; nothing returned means `done`. */
export type Outcome =
  | { readonly kind: 'done' }
  /** The same message again after a pause, its partition waits. Not counted as a failure. */
  | { readonly kind: 'retryAfter'; readonly afterMs: number }
  /** Put aside, the partition goes on. */
  | { readonly kind: 'deadLetter'; readonly reason: string }
  /** The processor stops; the message is not done. */
  | { readonly kind: 'stop'; readonly reason: string }

/** What a handler gets beside its message. */
export interface ProcessorContext extends ConsumerContext {
  /** From 1; grows when the handler failed or asked for a retry. */
  readonly attempt: number
}

/** What {@link startProcessor} takes. */
export interface ProcessorOptions<E extends AnyEvent> {
  readonly store: EventStore<E>
  readonly group: string
  /** Default: the event topic. */
  readonly topics?: readonly string[]
  /** The topic the store keeps events in. Default `session.events`. */
  readonly eventTopic?: string
  readonly from?: 'beginning' | 'end'
  /** When it rejects, it is tried again as `retry` says; then the message is put aside. */
  readonly handler: (message: Projected<E>, context: ProcessorContext) => Promise<Outcome | undefined> | Promise<void>
  readonly retry?: RetryPolicy
  /** A handler that takes longer has failed; its signal fires. Default: no limit. */
  readonly timeoutMs?: number
  /**
   * A message the store's catalogue cannot read (unknown type, newer version, bad data). `wait` (default): its partition
   * waits for a program that can; `skip`: passed over; `deadLetter`: put aside.
   */
  readonly unreadable?: 'wait' | 'skip' | 'deadLetter'
  readonly onError?: (error: unknown, message: Projected | undefined, attempt: number) => void
  readonly logger?: Logger
}

/** A running processor. */
export interface Processor extends Consumer {
  /** Resolves when it has stopped, with the reason if a handler asked for it. */
  readonly stopped: Promise<string | undefined>
}

/** Starts a processor: a member of a consumer group with retries, dead letters and redrive. */
export function startProcessor<E extends AnyEvent>(options: ProcessorOptions<E>): Processor {
  return new Runner(options)
}

class Runner<E extends AnyEvent> implements Processor {
  readonly ready: Promise<void>
  readonly ended: Promise<void>
  readonly stopped: Promise<string | undefined>
  readonly #options: ProcessorOptions<E>
  readonly #consumer: Consumer
  readonly #end = Promise.withResolvers<string | undefined>()
  #isStopping = false

  constructor(options: ProcessorOptions<E>) {
    this.#options = options
    this.stopped = this.#end.promise
    const { store, group, eventTopic = DEFAULT_EVENT_TOPIC, topics = [eventTopic], from } = options
    this.#consumer = store.consume({
      group,
      topics: topics.includes(eventTopic) ? [...topics, redriveTopic(group)] : topics,
      ...(from && { from }),
      handler: (message, context) => this.#handle(message, context),
      unreadable: (error, message, context) => this.#unreadable(error, message, context),
      onError: (error, message) => this.#report(error, message, 1),
    })
    this.ready = this.#consumer.ready
    this.ended = this.#consumer.ended
  }

  stop(): Promise<void> {
    this.#end.resolve(undefined)
    return this.#consumer.stop()
  }

  async #handle(message: Projected<E>, context: ConsumerContext): Promise<void> {
    if (deadLetterEventNames.has(message.type) || processEventNames.has(message.type)) return
    const subject = await this.#resolve(message)
    const startedMs = systemClock.now()
    for (let attempt = 1; ; attempt++) {
      context.signal.throwIfAborted()
      const pauseMs = await this.#try(subject, message, { ...context, attempt }, startedMs)
      if (pauseMs === undefined) return
      await pause(pauseMs, context.signal)
    }
  }

  /** One try: nothing when the message is settled, or how long to wait before the next. */
  async #try(subject: Projected<E>, message: Projected<E>, context: ProcessorContext, startedMs: number) {
    const { retry = {} } = this.#options
    const { attempt } = context
    try {
      const outcome = await this.#call(subject, context)
      if (outcome.kind === 'retryAfter') return outcome.afterMs
      if (outcome.kind === 'deadLetter')
        await this.#putAside(message, context, { reason: outcome.reason, error: 'deadLetter' })
      if (outcome.kind === 'stop') this.#stopFor(outcome.reason)
      return undefined
    } catch (error) {
      if (context.signal.aborted || this.#isStopping || isFence(error)) throw error
      this.#report(error, message, attempt)
      const elapsedMs = systemClock.now() - startedMs
      const pauseMs = pauseBeforeRetry(retry, { attempt, elapsedMs, error, random: Math.random() })
      if (pauseMs === undefined) await this.#putAside(message, context, nameOf(error))
      return pauseMs
    }
  }

  async #call(message: Projected<E>, context: ProcessorContext): Promise<Outcome> {
    const { handler, timeoutMs } = this.#options
    if (timeoutMs === undefined) return checked(await handler(message, context))
    const late = AbortSignal.timeout(timeoutMs)
    const signal = AbortSignal.any([context.signal, late])
    const tooLate = new Promise<never>((_, reject) => {
      late.addEventListener('abort', () => reject(new Error(`The handler took longer than ${timeoutMs} ms.`)))
    })
    return checked(await Promise.race([handler(message, { ...context, signal }), tooLate]))
  }

  async #putAside(
    message: Projected,
    { checkpoint, attempt }: Pick<ProcessorContext, 'checkpoint' | 'attempt'>,
    why: { readonly reason: string; readonly error: string },
  ): Promise<void> {
    const letter = toLetter(await this.#withOrigin(message), { ...why, group: this.#options.group, attempts: attempt })
    reach('processor.put-aside.begin')
    const put = { type: 'DeadLettered', data: letter } as unknown as E
    await this.#options.store.appendToStream(deadLetterStream(letter.topic), [put], {
      idempotencyKey: `letter:${message.topic}/${message.partition}/${message.offset}/${letter.group}`.slice(0, 256),
      outgoing: [toCopy(letter)],
      checkpoint,
    })
    reach('processor.put-aside.done')
  }

  /** A redriven event stands for the fact itself. */
  async #resolve(message: Projected<E>): Promise<Projected<E>> {
    const fact = isRecordedEvent(message) ? undefined : factOf(message)
    if (fact === undefined) return message
    const range = { from: fact.position, to: fact.position }
    for await (const event of this.#options.store.readStream<E>(fact.stream, range)) return event
    return message
  }

  /** What failed again is a letter of the topic it came from at first, and knows how often it was redriven. */
  async #withOrigin(message: Projected): Promise<Projected> {
    const fact = isRecordedEvent(message) ? undefined : factOf(message)
    if (fact === undefined) return message
    const event: RecordedEvent | Projected = await this.#resolve(message as Projected<E>)
    return { ...event, headers: { ...event.headers, ...redriveHeaders(message) } }
  }

  async #unreadable(error: unknown, message: Projected, context: ConsumerContext): Promise<void> {
    const { unreadable = 'wait' } = this.#options
    if (deadLetterEventNames.has(message.type) || processEventNames.has(message.type)) return
    if (unreadable === 'wait') throw error
    this.#report(error, message, 1)
    if (unreadable === 'deadLetter') await this.#putAside(message, { ...context, attempt: 1 }, nameOf(error))
  }

  #stopFor(reason: string): never {
    this.#isStopping = true
    this.#end.resolve(reason)
    void this.#consumer.stop()
    throw new Error(`The handler asked to stop: ${reason}`)
  }

  #report(error: unknown, message: Projected | undefined, attempt: number): void {
    const { logger = silentLogger, group, onError } = this.#options
    logger.warn({ err: error, group, message: message?.eventId, type: message?.type, attempt }, 'A handler failed')
    onError?.(error, message, attempt)
  }
}

const KINDS: readonly unknown[] = ['done', 'retryAfter', 'deadLetter', 'stop']

function checked(outcome: unknown): Outcome {
  if (outcome === undefined) return { kind: 'done' }
  if (KINDS.includes((outcome as Partial<Outcome> | null)?.kind)) return outcome as Outcome
  throw invalidArgument(`A handler must return nothing or { kind: ${KINDS.join(' | ')} }, got ${describe(outcome)}.`)
}

function isFence(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'CHECKPOINT_FENCED'
}

function nameOf(error: unknown): { readonly reason: string; readonly error: string } {
  if (!(error instanceof Error)) return { reason: String(error), error: 'Error' }
  return { reason: error.message, error: 'code' in error ? String(error.code) : error.name }
}
