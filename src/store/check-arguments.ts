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
  if (typeof options.handler !== 'function') throw invalidArgument('handler must be a function.')
  if (options.select !== undefined && typeof options.select !== 'function')
    throw invalidArgument('select must be a function.')
  if (options.maxInFlight !== undefined) checkInteger('maxInFlight', options.maxInFlight, 1)
}

/** The commonest slip: `openEventStore` was not awaited. */
export function checkStore(store: Pick<EventStore<never>, 'appendToStream'>): void {
  if (store instanceof Promise) throw invalidArgument('store is a promise: await openEventStore(…).')
  if (typeof store?.appendToStream !== 'function') {
    throw invalidArgument(`store must be an event store, from openEventStore, got ${describe(store)}.`)
  }
}

/** A value as a message to people shows it: short, never its whole content. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (value === undefined) return 'nothing'
  return Array.isArray(value) ? 'a list' : `a value of type ${typeof value}`
}
