import type { Catalogue } from '../core/catalogue.ts'
import { checkNames, type Names } from '../core/known-names.ts'
import type { Logger } from '../core/logger.ts'
import { checkFunction, checkInteger, checkTopic, describe, invalidArgument } from './check-arguments.ts'
import type { OpenEventStoreOptions } from './store-options.ts'

/*
 * What a program may say when it opens a log, checked where it says it and not where it first matters.
 */

const NAMES: Names<OpenEventStoreOptions> = {
  events: true,
  largeEvents: true,
  eventTopic: true,
  topics: true,
  leaseMs: true,
  appendTimeoutMs: true,
  maxQueuedAppends: true,
  maxQueuedBytes: true,
  replica: true,
  clock: true,
  random: true,
  logger: true,
}

const LOGGER: Names<Logger> = { debug: true, info: true, warn: true, error: true }

/** @throws INVALID_ARGUMENT naming the option. */
export function checkOpenOptions(options: OpenEventStoreOptions<never>): void {
  checkNames('options of openEventStore', options, NAMES)
  const { events, eventTopic, clock, random, logger } = options
  if (events !== undefined) checkCatalogue(events)
  if (eventTopic !== undefined) checkTopic(eventTopic)
  for (const name of ['leaseMs', 'appendTimeoutMs', 'maxQueuedAppends', 'maxQueuedBytes'] as const) {
    if (options[name] !== undefined) checkInteger(name, options[name], 1)
  }
  checkClockAndLogger({ clock, logger })
  if (random !== undefined) checkFunction('random', random)
}

/** A list of definitions is what people pass first. */
function checkCatalogue(events: Partial<Catalogue<never>>): void {
  if (typeof events === 'object' && events !== null && typeof events.toStored === 'function') return
  throw invalidArgument(`events must be a catalogue: defineCatalogue([…]), got ${describe(events)}.`)
}

/** What many take, by the names that all give it. */
export function checkClockAndLogger({ clock, logger }: { readonly clock?: unknown; readonly logger?: unknown }): void {
  if (clock !== undefined) checkFunctions('clock', clock, ['now'])
  if (logger !== undefined) checkFunctions('logger', logger, Object.keys(LOGGER))
}

/** That an object has these functions, by its name in messages. */
export function checkFunctions(what: string, value: unknown, names: readonly string[]): void {
  const missing = names.find((name) => typeof (value as Record<string, unknown> | null)?.[name] !== 'function')
  if (missing !== undefined) throw invalidArgument(`${what}.${missing} must be a function.`)
}
