import { checkNames, type Given, type Names } from '../core/known-names.ts'
import {
  checkFunction,
  checkInteger,
  checkName,
  checkOneOf,
  checkStore,
  checkTopic,
  checkTopics,
} from '../store/check-arguments.ts'
import { checkClockAndLogger } from '../store/check-store-options.ts'
import { checkBreakerOptions } from './circuit-breaker.ts'
import { UNREADABLE } from './poison-policy.ts'
import type { BatchProcessorOptions, ProcessorBase, ProcessorOptions } from './processor-options.ts'
import { checkRetryPolicy } from './retry-policy.ts'

/*
 * What a program may say when it starts a processor, checked where it says it.
 */

const BASE: Names<ProcessorBase<never>> = {
  store: true,
  group: true,
  topics: true,
  eventTopic: true,
  from: true,
  retry: true,
  clock: true,
  breaker: true,
  timeoutMs: true,
  slowAfterMs: true,
  graceMs: true,
  blockedAfterMs: true,
  unreadable: true,
  stranger: true,
  onError: true,
  logger: true,
}

const PROCESSOR: Names<ProcessorOptions<never>> = {
  ...BASE,
  handler: true,
  order: true,
  concurrency: true,
  maxInFlight: true,
}

const BATCHES: Names<BatchProcessorOptions<never>> = {
  ...BASE,
  handleBatch: true,
  maxBatchMessages: true,
  maxBatchWaitMs: true,
}

/** @throws INVALID_ARGUMENT naming the option. */
export function checkProcessorOptions(options: Given<ProcessorOptions<never>>): void {
  checkNames('options of startProcessor', options, PROCESSOR)
  checkBase(options)
  const { handler, order, concurrency, maxInFlight } = options
  checkFunction('handler', handler)
  if (order !== undefined) checkOneOf('order', order, ['partition', 'key'])
  if (concurrency !== undefined) checkInteger('concurrency', concurrency, 1)
  if (maxInFlight !== undefined) checkInteger('maxInFlight', maxInFlight, 1)
}

/** @throws INVALID_ARGUMENT naming the option. */
export function checkBatchProcessorOptions(options: Given<BatchProcessorOptions<never>>): void {
  checkNames('options of startBatchProcessor', options, BATCHES)
  checkBase(options)
  const { handleBatch, maxBatchMessages, maxBatchWaitMs } = options
  checkFunction('handleBatch', handleBatch)
  if (maxBatchMessages !== undefined) checkInteger('maxBatchMessages', maxBatchMessages, 1)
  if (maxBatchWaitMs !== undefined) checkInteger('maxBatchWaitMs', maxBatchWaitMs, 0)
}

function checkBase(options: Given<ProcessorBase<never>>): void {
  checkStore(options?.store)
  const { group, topics, eventTopic, from, retry, breaker, onError } = options
  checkName('The consumer group (group)', group)
  if (topics !== undefined) checkTopics('topics', topics)
  if (eventTopic !== undefined) checkTopic(eventTopic)
  if (from !== undefined) checkOneOf('from', from, ['beginning', 'end'])
  if (retry !== undefined) checkRetryPolicy(retry)
  if (breaker !== undefined && typeof (breaker as { run?: unknown } | null)?.run !== 'function') {
    checkBreakerOptions(breaker)
  }
  checkTimes(options)
  for (const name of ['unreadable', 'stranger'] as const) {
    if (options[name] !== undefined) checkOneOf(name, options[name], UNREADABLE)
  }
  if (onError !== undefined) checkFunction('onError', onError)
  checkClockAndLogger(options)
}

function checkTimes(options: Given<ProcessorBase<never>>): void {
  for (const name of ['timeoutMs', 'slowAfterMs', 'blockedAfterMs'] as const) {
    if (options[name] !== undefined) checkInteger(name, options[name], 1)
  }
  if (options.graceMs !== undefined) checkInteger('graceMs', options.graceMs, 0)
}
