import type { DuologError } from '../core/errors.ts'
import type { AnyEvent } from '../core/event.ts'
import type { Consumer, ConsumerContext, TakenPartition } from '../store/event-store.ts'
import { loggerFor } from '../store/warning-logger.ts'
import { type BreakerStatus, type CircuitBreaker, createCircuitBreaker } from './circuit-breaker.ts'
import { effectOf, redriveTopic } from './dead-letter.ts'
import { KeyLanes, Slots } from './key-lanes.ts'
import { MessageBatcher } from './message-batcher.ts'
import { isOwnFact } from './own-facts.ts'
import { lagOf, placeOf } from './partition-lag.ts'
import type { ParkedMessage, PartitionLag, Processor, ProcessorBase } from './processor-options.ts'
import type { Projected } from './projection.ts'
import { isRetryable } from './retry-policy.ts'
import { workOf } from './work.ts'
import { type CallHandler, WorkSettler } from './work-settler.ts'

/*
 * A consumer whose messages are brought to an end by a handler, and what a person wants to know of it.
 *
 * P6 A partition whose checkpoint lies behind the end of the log is not touched: nothing is guessed.
 * P9 Whatever a handler does, reading, membership and the other keys do not wait for it.
 */

export interface RunnerOptions<E extends AnyEvent> extends ProcessorBase<E> {
  readonly call: CallHandler<E>
  readonly concurrency: number
  readonly maxInFlight: number
  readonly batches?: { readonly maxMessages: number; readonly maxWaitMs: number }
}

interface Partition<E extends AnyEvent> {
  readonly taken: TakenPartition
  readonly lanes: KeyLanes
  readonly slots: Slots
  readonly batcher: MessageBatcher<E> | undefined
}

export class ProcessorRunner<E extends AnyEvent> implements Processor {
  readonly ready: Promise<void>
  readonly ended: Promise<DuologError | undefined>
  readonly stopped: Promise<string | undefined>
  readonly #options: RunnerOptions<E>
  readonly #consumer: Consumer
  readonly #settler: WorkSettler<E>
  readonly #circuit: CircuitBreaker | undefined
  readonly #partitions = new Map<string, Partition<E>>()
  readonly #end = Promise.withResolvers<string | undefined>()
  #stopping: Promise<void> | undefined

  constructor(options: RunnerOptions<E>) {
    this.#options = options
    this.stopped = this.#end.promise
    this.#circuit = this.#createCircuit()
    const onStop = (reason: string) => {
      loggerFor(options, undefined).warn({ group: options.group }, `A processor stops: ${reason}`)
      void this.#stop(reason)
    }
    this.#settler = new WorkSettler({ ...options, circuit: this.#circuit, onStop })
    const { store, group, eventTopic = store.eventTopic, topics = [eventTopic], from } = options
    this.#consumer = store.consume({
      group,
      topics: topics.includes(eventTopic) ? [...topics, redriveTopic(group)] : topics,
      ...(from && { from }),
      maxInFlight: options.maxInFlight,
      select: (message) => !isOwnFact(message),
      onTaken: (partition) => this.#take(partition),
      handler: (message, context) => this.#handle(message, context),
      unreadable: (error, message, context) => this.#unreadable(error, message as Projected<E>, context),
      stranger: (error, message, context) => this.#unreadable(error, message as Projected<E>, context),
      onError: (error, message, attempt) => this.#settler.report(error, message, attempt),
    })
    this.ready = this.#consumer.ready
    this.ended = this.#consumer.ended
    void this.ended.then((failure) => this.#end.resolve(failure?.message))
  }

  get isPaused(): boolean {
    return !this.#settler.gate.isOpen
  }

  get breaker(): BreakerStatus | undefined {
    return this.#circuit?.status
  }

  pause(): void {
    this.#settler.gate.set(false)
  }

  resume(): void {
    if (this.#stopping === undefined) this.#settler.gate.set(true)
  }

  async lag(): Promise<readonly PartitionLag[]> {
    return lagOf(
      this.#options.store,
      [...this.#partitions.values()].map(({ taken }) => taken),
    )
  }

  parked(): readonly ParkedMessage[] {
    return this.#settler.parked.list((message) => {
      const { lanes, batcher } = this.#partitions.get(placeOf(message)) ?? {}
      return batcher?.waitingBehind(message) ?? lanes?.waitingBehind(message.key) ?? 0
    })
  }

  stop(): Promise<void> {
    return this.#stop(undefined)
  }

  #stop(reason: string | undefined): Promise<void> {
    this.#stopping ??= this.#wind(reason)
    return this.#stopping
  }

  /** Handlers at work may finish; who asked for the stop is one of them no more. */
  async #wind(reason: string | undefined): Promise<void> {
    await this.#settler.windUp()
    this.#end.resolve(reason)
    await this.#consumer.stop()
  }

  #take(taken: TakenPartition): void {
    const { concurrency, batches } = this.#options
    const slots = new Slots(concurrency)
    const settle = (work: Parameters<WorkSettler<E>['settle']>[0]) => this.#settler.settle(work, slots)
    const batcher = batches && new MessageBatcher<E>({ ...batches, settle })
    this.#partitions.set(placeOf(taken), { taken, lanes: new KeyLanes(), slots, batcher })
  }

  #handle(message: Projected<E>, context: ConsumerContext): Promise<void> {
    const { lanes, slots, batcher } = this.#partitionOf(message)
    // What was appended for it is not appended again with others.
    if (batcher !== undefined && effectOf(message, this.#options.group) === undefined)
      return batcher.add(message, context)
    const settle = () => this.#settler.settle(workOf(message, context, this.#options.group), slots)
    return batcher === undefined ? lanes.run(message.key, settle) : batcher.runAlone(message, settle)
  }

  async #unreadable(error: unknown, message: Projected<E>, context: ConsumerContext): Promise<void> {
    const { lanes, batcher } = this.#partitionOf(message)
    const task = () => this.#settler.unreadable(error, workOf(message, context, this.#options.group))
    await (batcher === undefined ? lanes.run(message.key, task) : batcher.runAlone(message, task))
  }

  #partitionOf(message: Projected): Partition<E> {
    const partition = this.#partitions.get(placeOf(message))
    if (partition === undefined) throw new Error(`Partition ${placeOf(message)} was not taken.`)
    return partition
  }

  #createCircuit(): CircuitBreaker | undefined {
    const { breaker, retry = {}, group } = this.#options
    if (breaker === undefined || 'run' in breaker) return breaker
    return createCircuitBreaker({
      counts: (error) => !isAbort(error) && isRetryable(retry, error),
      ...breaker,
      onChange: (status) => {
        loggerFor(this.#options, breaker.onChange).warn({ group, ...status }, `The circuit breaker is ${status.state}`)
        breaker.onChange?.(status)
      },
    })
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}
