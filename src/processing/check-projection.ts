import { checkNames, type Given, type Names } from '../core/known-names.ts'
import {
  checkFunction,
  checkInteger,
  checkMade,
  checkName,
  checkStore,
  describe,
  invalidArgument,
} from '../store/check-arguments.ts'
import { checkClockAndLogger } from '../store/check-store-options.ts'
import { checkPoisonOptions, POISON_NAMES } from './poison-policy.ts'
import type { Projection } from './projection.ts'
import type { StartProjectionOptions, WaitForOptions, WaitTarget } from './projection-options.ts'
import type { ListRowsOptions } from './view-store.ts'

/*
 * What a program may say when it starts a projection and reads it, checked where it says it.
 */

const START: Names<StartProjectionOptions<never, never>> = {
  store: true,
  projection: true,
  views: true,
  maxBatchMessages: true,
  blockedAfterMs: true,
  ...POISON_NAMES,
  onSkipped: true,
  onError: true,
  logger: true,
}
const WAIT: Names<WaitForOptions> = { timeoutMs: true, signal: true }
const GET: Names<WaitForOptions & { readonly after?: WaitTarget }> = { ...WAIT, after: true }
const LIST: Names<ListRowsOptions> = { prefix: true, after: true, limit: true }

/** @throws INVALID_ARGUMENT naming the option. */
export function checkStartProjection(options: Given<StartProjectionOptions<never, never>>): void {
  checkNames('options of startProjection', options, START)
  checkStore(options?.store)
  checkProjection(options.projection)
  const { views } = options
  if (views !== undefined) checkMade('views', views, 'memoryViews() or sqliteViews(path)', ['live', 'apply', 'promote'])
  for (const name of ['maxBatchMessages', 'blockedAfterMs'] as const) {
    if (options[name] !== undefined) checkInteger(name, options[name], 1)
  }
  checkPoisonOptions(options)
  for (const name of ['onSkipped', 'onError'] as const) {
    if (options[name] !== undefined) checkFunction(name, options[name])
  }
  checkClockAndLogger(options)
}

/** @throws INVALID_ARGUMENT: it is none. */
export function checkProjection(given: unknown): void {
  checkMade('projection', given, 'defineProjection({ … })', ['key', 'initialState', 'evolve'])
  const projection = given as Given<Projection<never, never>>
  checkName('The name of a projection', projection.name)
  checkInteger(`The version of projection "${projection.name}"`, projection.version, 1)
}

/** @throws INVALID_ARGUMENT naming the option. */
export function checkGetOptions(options: WaitForOptions): void {
  checkNames('options of get', options, GET)
}

/** @throws INVALID_ARGUMENT naming the option. */
export function checkWaitOptions(options: WaitForOptions): void {
  checkNames('options of waitFor', options, WAIT)
}

/** @throws INVALID_ARGUMENT naming the option. */
export function checkListOptions(options: ListRowsOptions | undefined): void {
  checkNames('options of list', options, LIST)
  if (options?.limit !== undefined) checkInteger('limit', options.limit, 0)
}

/** A place, or what an append answered: anything else would never be reached. */
export function checkWaitTarget(target: WaitTarget): void {
  const given = target as Readonly<Record<string, unknown>> | null | undefined
  const isOf = (kinds: Readonly<Record<string, string>>) =>
    Object.entries(kinds).every(([name, kind]) => typeof given?.[name] === kind)
  if (isOf({ stream: 'string', currentStreamVersion: 'number' })) return
  if (isOf({ topic: 'string', partition: 'number', offset: 'number' })) return
  const got = target instanceof Promise ? 'a promise: await the append' : describe(target)
  throw invalidArgument(
    `What is waited for must be an append's answer ({ stream, currentStreamVersion }), an event, or a place ` +
      `({ topic, partition, offset }), got ${got}.`,
  )
}
