import type { AnyEvent } from '../core/event.ts'
import { invalidArgument } from '../store/check-arguments.ts'
import type { EventStore } from '../store/event-store.ts'
import type { StoreTaking } from '../store/store-taking.ts'
import { checkBatchProcessorOptions, checkProcessorOptions } from './check-processor.ts'
import type { StoreOfHandled } from './own-facts.ts'
import type { BatchProcessorOptions, Processor, ProcessorOptions } from './processor-options.ts'
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
  checkProcessorOptions(options)
  const { handler, order, concurrency, maxInFlight, ...base } = options
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

/**
 * Starts a processor that handles messages in batches; an append through its context is one for the whole batch.
 *
 * @throws INVALID_ARGUMENT naming the option.
 */
export function startBatchProcessor<E extends AnyEvent>(options: BatchProcessorOptions<E>): Processor
export function startBatchProcessor<E extends AnyEvent>(options: OfHandled<BatchProcessorOptions<E>, E>): Processor
export function startBatchProcessor<E extends AnyEvent>(options: OfTopics<BatchProcessorOptions<E>>): Processor
export function startBatchProcessor<E extends AnyEvent>(
  options: With<EventStore, BatchProcessorOptions<E>>,
): Processor {
  checkBatchProcessorOptions(options)
  const { handleBatch, maxBatchMessages = DEFAULT_BATCH_MESSAGES, ...rest } = options
  const { maxBatchWaitMs = DEFAULT_BATCH_WAIT_MS, ...base } = rest
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
