import { DuologError } from '../core/errors.ts'
import { checkNames, type Names } from '../core/known-names.ts'
import type { ConsumeOptions, EventStore, ReadStreamOptions } from './event-store.ts'

/*
 * The checks of arguments that every backing makes alike, so that a program refused by one is refused by all.
 */

/** Of a stream's name or a message's key, in UTF-8. */
export const MAX_KEY_BYTES = 8192
/** Of an idempotency key, a group, an id, an event's type. */
export const MAX_NAME_CHARACTERS = 256
const TOPIC_NAME = /^[a-zA-Z0-9._-]{1,249}$/
// A lone surrogate has no UTF-8 form: two different names would become one.
const UNFIT = /\p{Cc}|\p{Surrogate}/u

export function invalidArgument(message: string): DuologError {
  return new DuologError('INVALID_ARGUMENT', message)
}

/** Says what is wrong with a text that serves as a name, or nothing. */
export function flawOfName(value: unknown, maxCharacters = MAX_NAME_CHARACTERS): string | undefined {
  if (typeof value !== 'string') return `must be text, got ${describe(value)}`
  if (value.length === 0) return 'must not be empty'
  if (value.length > maxCharacters) return `has ${value.length} characters, at most ${maxCharacters} are allowed`
  return UNFIT.test(value) ? 'contains control characters or half of a surrogate pair' : undefined
}

export function flawOfKey(value: unknown): string | undefined {
  const flaw = flawOfName(value, MAX_KEY_BYTES)
  if (flaw !== undefined || typeof value !== 'string') return flaw
  const bytes = value.length * 3 <= MAX_KEY_BYTES ? 0 : Buffer.byteLength(value)
  return bytes > MAX_KEY_BYTES ? `has ${bytes} bytes in UTF-8, at most ${MAX_KEY_BYTES} are allowed` : undefined
}

export function checkName(what: string, value: unknown): void {
  const flaw = flawOfName(value)
  if (flaw !== undefined) throw invalidArgument(`${what} ${flaw}.`)
}

export function checkStream(stream: unknown): void {
  const flaw = flawOfKey(stream)
  if (flaw !== undefined) throw invalidArgument(`The stream's name ${flaw}.`)
}

export function checkTopic(topic: unknown): asserts topic is string {
  if (typeof topic === 'string' && TOPIC_NAME.test(topic) && topic !== '.' && topic !== '..') return
  throw invalidArgument(
    `${describe(topic)} is not a topic name: 1 to 249 of the characters a-z, A-Z, 0-9, ".", "_" and "-", and not "." or "..".`,
  )
}

export function checkInteger(what: string, value: unknown, min: number): void {
  if (Number.isSafeInteger(value) && (value as number) >= min) return
  throw invalidArgument(`${what} must be an integer of at least ${min}, got ${describe(value)}.`)
}

/** A number of this kind need not be whole, and may be without an end. */
export function checkNumber(what: string, value: unknown, min: number): void {
  if (typeof value === 'number' && value >= min) return
  throw invalidArgument(`${what} must be a number of at least ${min}, got ${describe(value)}.`)
}

export function checkFunction(what: string, value: unknown): void {
  if (typeof value === 'function') return
  throw invalidArgument(`${what} must be a function, got ${describe(value)}.`)
}

/** Functions by the type of event they are for. */
export function checkHandlers(what: string, handlers: unknown): void {
  if (typeof handlers !== 'object' || handlers === null || Array.isArray(handlers)) {
    throw invalidArgument(`${what} must be functions by type of event, got ${describe(handlers)}.`)
  }
  for (const [type, handler] of Object.entries(handlers)) {
    if (handler !== undefined) checkFunction(`${type} in ${what}`, handler)
  }
}

export function checkOneOf(what: string, value: unknown, words: readonly string[]): void {
  if (words.includes(value as string)) return
  throw invalidArgument(`${what} must be one of ${words.join(', ')}, got ${describe(value)}.`)
}

/** A text where a list belongs would be read letter by letter. */
export function checkNameList(what: string, value: unknown, of: string): asserts value is readonly string[] {
  if (!Array.isArray(value))
    throw invalidArgument(`${what} must be a list of at least one ${of}, got ${describe(value)}.`)
  if (value.length === 0) throw invalidArgument(`${what} must name at least one ${of}.`)
  for (const name of value) checkName(`Each of ${what}`, name)
}

export function checkTopics(what: string, value: unknown): void {
  checkNameList(what, value, 'topic')
  for (const topic of value) checkTopic(topic)
}

const READ_NAMES: Names<ReadStreamOptions> = { from: true, to: true, maxCount: true, consistency: true }

export function checkReadOptions(stream: unknown, options: ReadStreamOptions): void {
  checkStream(stream)
  checkNames('options of readStream', options, READ_NAMES)
  if (options.from !== undefined) checkInteger('from', options.from, 1)
  if (options.to !== undefined) checkInteger('to', options.to, 0)
  if (options.maxCount !== undefined) checkInteger('maxCount', options.maxCount, 0)
  const { consistency } = options
  if (consistency === undefined || consistency === 'linearizable' || consistency === 'eventual') return
  throw invalidArgument(`consistency must be 'linearizable' or 'eventual', got ${describe(consistency)}.`)
}

const CONSUME_NAMES: Names<ConsumeOptions> = {
  group: true,
  topics: true,
  from: true,
  handler: true,
  select: true,
  maxInFlight: true,
  onTaken: true,
  checkpoints: true,
  unreadable: true,
  stranger: true,
  onError: true,
}

export function checkConsumeOptions(options: ConsumeOptions<never>): void {
  checkNames('options of consume', options, CONSUME_NAMES)
  checkName('The consumer group', options.group)
  if (!Array.isArray(options.topics) || options.topics.length === 0) {
    throw invalidArgument('topics must be a list of at least one topic name.')
  }
  for (const topic of options.topics) checkTopic(topic)
  if (options.from !== undefined && options.from !== 'beginning' && options.from !== 'end') {
    throw invalidArgument(`from must be 'beginning' or 'end', got ${describe(options.from)}.`)
  }
  checkFunction('handler', options.handler)
  for (const name of ['select', 'onTaken', 'onError', 'unreadable', 'stranger'] as const) {
    if (options[name] !== undefined) checkFunction(name, options[name])
  }
  if (options.maxInFlight !== undefined) checkInteger('maxInFlight', options.maxInFlight, 1)
}

/** The commonest slip: `openEventStore` was not awaited. */
export function checkStore(store: unknown): void {
  const flaw = flawOfStore(store)
  if (flaw !== undefined) throw invalidArgument(`store ${flaw}.`)
}

export function flawOfStore(store: unknown): string | undefined {
  if (store instanceof Promise) return 'is a promise: await openEventStore(…)'
  if (typeof (store as Partial<EventStore> | null | undefined)?.appendToStream === 'function') return undefined
  return `must be an event store, from openEventStore, got ${describe(store)}`
}

/** That it is what `maker` makes; the commonest slip is that it was not awaited. */
export function checkMade(what: string, value: unknown, maker: string, functions: readonly string[]): void {
  if (value instanceof Promise) throw invalidArgument(`${what} is a promise: await ${maker}.`)
  const given = value as Readonly<Record<string, unknown>> | null | undefined
  if (functions.every((name) => typeof given?.[name] === 'function')) return
  throw invalidArgument(`${what} must be made by ${maker}, got ${describe(value)}.`)
}

/** A value as a message to people shows it: short, never its whole content. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (value === undefined) return 'nothing'
  return Array.isArray(value) ? 'a list' : `a value of type ${typeof value}`
}
