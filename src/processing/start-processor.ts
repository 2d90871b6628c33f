import type { AnyEvent } from '../core/event.ts'
import { checkInteger, invalidArgument } from '../store/check-arguments.ts'
import type { EventStore } from '../store/event-store.ts'
import type { StoreTaking } from '../store/store-taking.ts'
import type { StoreOfHandled } from './own-facts.ts'
import type { Processor, ProcessorBase, ProcessorContext, ProcessorOptions } from './processor-options.ts'
import { ProcessorRunner } from './processor-runner.ts'
import type { Projected } from './projection.ts'

const DEFAULT_KEY_CONCURRENCY = 8
const DEFAULT_MAX_IN_FLIGHT = 1_000
const DEFAULT_BATCH_MESSAGES = 100
const DEFAULT_BATCH_WAIT_MS = 20

type With<Store, Options> = Omit<Options, 'store'> & { readonly store: Store }
/** The store's catalogue may have, besides the handler's events, what processing writes. */
type OfHandled<Options, E extends AnyEvent> = With<NoInfer<StoreOfHandled<E> & StoreTaking<E>>, Options>
/** The handler's type says what is in the topics that are named: the store may be any. */
type OfTopics<Options> = With<EventStore, Options> & { readonly topics: readonly string[] }

/**
 * Starts a processor: a member of a consumer group with retries, circuit breaker, dead letters and redrive.
 *
 * @throws INVALID_ARGUMENT naming the option.
 */
export function startProcessor<E extends AnyEvent>(options: ProcessorOptions<E>): Processor
export function startProcessor<E extends AnyEvent>(options: OfHandled<ProcessorOptions<E>, E>): Processor
export function startProcessor<E extends AnyEvent>(options: OfTopics<ProcessorOptions<E>>): Processor
export function startProcessor<E extends AnyEvent>(options: With<EventStore, ProcessorOptions<E>>): Processor {
  const { handler, order, concurrency, maxInFlight, ...base } = options
  checkBase(base)
  if (typeof handler !== 'function') throw invalidArgument('handler must be a function.')
  if (concurrency !== undefined) checkInteger('concurrency', concurrency, 1)
  if (maxInFlight !== undefined) checkInteger('maxInFlight', maxInFlight, 1)
  const byKey = order === 'key' || (order === undefined && (concurrency ?? 1) > 1)
  if (!byKey && (concurrency ?? 1) > 1) {
    throw invalidArgument("concurrency above 1 does not keep the order of a partition: use order: 'key'.")
  }
  return new ProcessorRunner<E>({
    ...base,
    store: base.store as EventStore<E>,
    call: ([message], context) => handler(message as Projected<E>, context),
    concurrency: concurrency ?? (byKey ? DEFAULT_KEY_CONCURRENCY : 1),
    maxInFlight: byKey ? (maxInFlight ?? DEFAULT_MAX_IN_FLIGHT) : 1,
  })
}

/** What {@link startBatchProcessor} takes. */
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

/** Starts a processor that handles messages in batches; an append through its context is one for the whole batch. */
export function startBatchProcessor<E extends AnyEvent>(options: BatchProcessorOptions<E>): Processor
export function startBatchProcessor<E extends AnyEvent>(options: OfHandled<BatchProcessorOptions<E>, E>): Processor
export function startBatchProcessor<E extends AnyEvent>(options: OfTopics<BatchProcessorOptions<E>>): Processor
export function startBatchProcessor<E extends AnyEvent>(
  options: With<EventStore, BatchProcessorOptions<E>>,
): Processor {
  const { handleBatch, maxBatchMessages = DEFAULT_BATCH_MESSAGES, ...rest } = options
  const { maxBatchWaitMs = DEFAULT_BATCH_WAIT_MS, ...base } = rest
  checkBase(base)
  if (typeof handleBatch !== 'function') throw invalidArgument('handleBatch must be a function.')
  checkInteger('maxBatchMessages', maxBatchMessages, 1)
  checkInteger('maxBatchWaitMs', maxBatchWaitMs, 0)
  return new ProcessorRunner<E>({
    ...base,
    store: base.store as EventStore<E>,
    call: handleBatch,
    concurrency: 1,
    // One batch is handled while the next gathers.
    maxInFlight: 2 * maxBatchMessages,
    batches: { maxMessages: maxBatchMessages, maxWaitMs: maxBatchWaitMs },
  })
}

const UNREADABLE: readonly unknown[] = ['wait', 'skip', 'deadLetter', 'stop', undefined]

function checkBase<E extends AnyEvent>(options: Omit<ProcessorBase<E>, 'store'>): void {
  for (const name of ['timeoutMs', 'slowAfterMs', 'blockedAfterMs'] as const) {
    if (options[name] !== undefined) checkInteger(name, options[name], 1)
  }
  if (options.graceMs !== undefined) checkInteger('graceMs', options.graceMs, 0)
  for (const name of ['unreadable', 'stranger'] as const) {
    if (UNREADABLE.includes(options[name])) continue
    throw invalidArgument(`${name} must be one of ${UNREADABLE.slice(0, -1).join(', ')}, got "${options[name]}".`)
  }
}
