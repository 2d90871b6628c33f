import type { Clock } from '../core/clock.ts'
import { DuologError } from '../core/errors.ts'
import type { AnyEvent, EnvelopeOptions, NewEvent, OutgoingMessage, RecordedEvent } from '../core/event.ts'
import { type RandomBytes, uuidV7 } from '../core/ids.ts'
import { checkNames, type Names, strangerIn, unknownName } from '../core/known-names.ts'
import {
  type ExpectedStreamVersion,
  NO_CONCURRENCY_CHECK,
  STREAM_DOES_NOT_EXIST,
  STREAM_EXISTS,
} from '../core/versions.ts'
import {
  checkInteger,
  checkName,
  checkStream,
  checkTopic,
  describe,
  flawOfKey,
  flawOfName,
  invalidArgument,
} from './check-arguments.ts'
import type { AppendOptions, Checkpoint } from './event-store.ts'
import { appendAborted } from './given-up.ts'
import { findJsonFlaw } from './json-flaw.ts'

/*
 * From what a caller passed to what a backing writes: everything is checked here and nowhere else, before anything is
 * written (P2), and a backing only moves records. Pure but for the doors `clock` and `random`.
 */

export interface PreparedRecord {
  readonly topic: string
  /** The stream's name for an event. */
  readonly key: string
  readonly eventId: string
  readonly type: string
  readonly version: number
  readonly timestamp: string
  readonly correlationId: string
  readonly causationId?: string
  readonly headers: Readonly<Record<string, string>>
  /** The data, serialised. Never absent, never the text `undefined`. */
  readonly dataJson: string
  /** For backings that keep bytes: written in place of all that. */
  readonly raw?: NonNullable<OutgoingMessage['raw']>
}

export interface PreparedAppend {
  readonly stream: string
  readonly events: readonly PreparedRecord[]
  readonly outgoing: readonly PreparedRecord[]
  readonly expected: ExpectedStreamVersion
  readonly idempotencyKey?: string
  readonly checkpoint?: Checkpoint
  /** When it may still be given up: only as long as it was not begun. */
  readonly patience: Patience
  /** How many of the events have an id given by the caller: 0 means that no id can be a repeat. */
  readonly givenEventIds: number
}

export interface Patience {
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface PrepareContext {
  readonly eventTopic: string
  /** Of appends that do not say. */
  readonly appendTimeoutMs?: number | undefined
  readonly clock: Clock
  readonly random: RandomBytes
}

const APPEND_NAMES: Names<AppendOptions> = {
  expectedStreamVersion: true,
  idempotencyKey: true,
  outgoing: true,
  checkpoint: true,
  appendTimeoutMs: true,
  signal: true,
}

const EVENT_NAMES: Names<AnyEvent & EnvelopeOptions> = {
  type: true,
  data: true,
  eventId: true,
  version: true,
  timestamp: true,
  correlationId: true,
  causationId: true,
  headers: true,
}

/** What a reader is given beside them: an event that was read can be appended again, its old place counts for nothing. */
const PLACE_NAMES: Names<Omit<RecordedEvent, keyof (AnyEvent & EnvelopeOptions)>> = {
  topic: true,
  partition: true,
  offset: true,
  key: true,
  stream: true,
  streamPosition: true,
  globalPosition: true,
}

const MESSAGE_NAMES: Names<OutgoingMessage> = { ...EVENT_NAMES, topic: true, key: true, raw: true }
const OF_EVENTS = { told: EVENT_NAMES, taken: { ...EVENT_NAMES, ...PLACE_NAMES } }
const OF_MESSAGES = { told: MESSAGE_NAMES, taken: { ...MESSAGE_NAMES, ...PLACE_NAMES } }

/** @throws INVALID_ARGUMENT, INVALID_EVENT or EVENT_ID_REUSED, naming the field. */
export function prepareAppend(
  stream: string,
  events: readonly NewEvent<AnyEvent>[],
  options: AppendOptions,
  context: PrepareContext,
): PreparedAppend {
  checkStream(stream)
  checkNames('options of appendToStream', options, APPEND_NAMES)
  if (!Array.isArray(events)) throw invalidArgument(`events must be a list, got ${describe(events)}.`)
  const outgoing = options.outgoing ?? []
  if (!Array.isArray(outgoing)) throw invalidArgument(`outgoing must be a list, got ${describe(outgoing)}.`)
  checkExpectedVersion(options.expectedStreamVersion)
  checkIdempotencyKey(options.idempotencyKey, events.length)
  if (options.checkpoint !== undefined) checkCheckpoint(options.checkpoint)
  const moment = momentOf(context)
  return {
    stream,
    events: events.map((event, index) => prepareEvent(stream, event, index, moment)),
    outgoing: outgoing.map((message, index) => prepareOutgoing(message, index, moment)),
    expected: options.expectedStreamVersion ?? NO_CONCURRENCY_CHECK,
    ...(options.idempotencyKey !== undefined && { idempotencyKey: options.idempotencyKey }),
    ...(options.checkpoint !== undefined && { checkpoint: options.checkpoint }),
    patience: patienceOf(stream, options, context),
    givenEventIds: countGivenIds(events),
  }
}

function patienceOf(stream: string, { appendTimeoutMs, signal }: AppendOptions, context: PrepareContext): Patience {
  if (appendTimeoutMs !== undefined) checkInteger('appendTimeoutMs', appendTimeoutMs, 1)
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalidArgument(`signal must be an AbortSignal, got ${describe(signal)}.`)
  }
  if (signal?.aborted) throw appendAborted(stream)
  return { timeoutMs: appendTimeoutMs ?? context.appendTimeoutMs, signal }
}

/** What all records of one append share. */
interface Moment extends PrepareContext {
  readonly nowMs: number
  readonly timestamp: string
}

function momentOf({ eventTopic, clock, random }: PrepareContext): Moment {
  const nowMs = clock.now()
  return { eventTopic, clock, random, nowMs, timestamp: timestampOf(nowMs) }
}

/** Busy programs append many times in a millisecond, and its text costs as much as all the checks. */
let lastTimestamp = { ms: 0, text: new Date(0).toISOString() }

function timestampOf(ms: number): string {
  if (ms !== lastTimestamp.ms) lastTimestamp = { ms, text: new Date(ms).toISOString() }
  return lastTimestamp.text
}

function prepareEvent(stream: string, event: NewEvent<AnyEvent>, index: number, context: Moment) {
  const place = { where: `events[${index}]`, topic: context.eventTopic, key: stream, names: OF_EVENTS }
  return prepareRecord(event, place, context)
}

function prepareOutgoing(message: OutgoingMessage, index: number, context: Moment): PreparedRecord {
  const where = `outgoing[${index}]`
  if (typeof message !== 'object' || message === null) throw invalidArgument(`${where} must be a message.`)
  checkTopic(message.topic)
  if (message.topic === context.eventTopic) {
    throw invalidArgument(
      `${where} goes to "${message.topic}", the topic of the events: append it to a stream instead.`,
    )
  }
  const flaw = flawOfKey(message.key)
  if (flaw !== undefined) throw invalidArgument(`The key of ${where} ${flaw}.`)
  const prepared = prepareRecord(
    message,
    { where, topic: message.topic, key: message.key, names: OF_MESSAGES },
    context,
  )
  return message.raw === undefined ? prepared : { ...prepared, raw: message.raw }
}

interface Place {
  readonly where: string
  readonly topic: string
  readonly key: string
  readonly names: typeof OF_EVENTS
}

function prepareRecord(event: AnyEvent & EnvelopeOptions, place: Place, moment: Moment): PreparedRecord {
  if (typeof event !== 'object' || event === null) {
    throw invalidEvent(place.where, undefined, `must be { type, data }, got ${describe(event)}`)
  }
  checkEnvelope(event, place.where)
  refuseLostFields(event, place)
  return {
    topic: place.topic,
    key: place.key,
    eventId: event.eventId ?? uuidV7(moment.nowMs, moment.random),
    type: event.type,
    version: event.version ?? 1,
    timestamp: event.timestamp ?? moment.timestamp,
    correlationId: event.correlationId ?? place.key,
    ...(event.causationId !== undefined && { causationId: event.causationId }),
    headers: event.headers === undefined ? NO_HEADERS : { ...event.headers },
    dataJson: serialise(event, place.where),
  }
}

/** A field that nobody keeps would be lost without a word. */
function refuseLostFields(event: AnyEvent, { where, names }: Place): void {
  const stranger = strangerIn(event, names.taken)
  if (stranger === undefined) return
  const advice = 'What is to be kept belongs into data, or as text into headers'
  throw invalidEvent(where, event.type, `${unknownName(stranger, names.told)} ${advice}`)
}

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({})

function serialise(event: AnyEvent, where: string): string {
  const flaw = findJsonFlaw(event.data)
  if (flaw !== undefined) {
    throw invalidEvent(where, event.type, `data${flaw.path} is ${flaw.what}, which JSON cannot carry`)
  }
  return JSON.stringify(event.data)
}

function checkEnvelope(event: AnyEvent & EnvelopeOptions, where: string): void {
  const flaw = flawOfName(event.type)
  if (flaw !== undefined) throw invalidEvent(where, undefined, `type ${flaw}`)
  checkText(event, where, 'eventId')
  checkText(event, where, 'causationId')
  if (event.correlationId !== undefined) refuseIf(flawOfKey(event.correlationId), event, where, 'correlationId')
  if (event.version !== undefined && !(Number.isSafeInteger(event.version) && event.version >= 1)) {
    throw invalidEvent(where, event.type, `version must be an integer from 1, got ${describe(event.version)}`)
  }
  if (event.timestamp !== undefined && !isTimestamp(event.timestamp)) {
    const example = '2026-01-31T12:00:00.000Z'
    throw invalidEvent(where, event.type, `timestamp must look like ${example}, got ${describe(event.timestamp)}`)
  }
  if (event.headers !== undefined) checkHeaders(event, event.headers, where)
}

function checkText(event: AnyEvent & EnvelopeOptions, where: string, field: 'eventId' | 'causationId'): void {
  if (event[field] !== undefined) refuseIf(flawOfName(event[field]), event, where, field)
}

function refuseIf(flaw: string | undefined, event: AnyEvent, where: string, field: string): void {
  if (flaw !== undefined) throw invalidEvent(where, event.type, `${field} ${flaw}`)
}

const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

function isTimestamp(value: unknown): boolean {
  return typeof value === 'string' && TIMESTAMP.test(value) && !Number.isNaN(Date.parse(value))
}

/** Names the envelope itself uses on the wire; a writer's own header must not pretend to be one. */
const OWN_HEADERS = new Set(['content-type', 'event-type', 'correlation-id', 'aggregate-id', 'sequence-number'])

function checkHeaders(event: AnyEvent, headers: Readonly<Record<string, unknown>>, where: string): void {
  for (const [name, value] of Object.entries(headers)) {
    const at = `headers[${JSON.stringify(name)}]`
    const lower = name.toLowerCase()
    if (lower.startsWith('ce_') || lower.startsWith('duolog-') || OWN_HEADERS.has(lower)) {
      throw invalidEvent(where, event.type, `${at} is a name of the envelope; choose another`)
    }
    refuseIf(flawOfName(name), event, where, `the name ${at}`)
    if (typeof value !== 'string' || /\0|\p{Surrogate}/u.test(value)) {
      throw invalidEvent(where, event.type, `${at} must be well-formed text, got ${describe(value)}`)
    }
  }
}

const CONSTANTS: readonly unknown[] = [STREAM_DOES_NOT_EXIST, STREAM_EXISTS, NO_CONCURRENCY_CHECK]

function checkExpectedVersion(expected: unknown): void {
  if (expected === undefined || CONSTANTS.includes(expected)) return
  if (Number.isSafeInteger(expected) && (expected as number) >= 0) return
  throw invalidArgument(
    `expectedStreamVersion must be an integer from 0, ${CONSTANTS.join(', ')}, got ${describe(expected)}.`,
  )
}

function checkIdempotencyKey(key: string | undefined, eventCount: number): void {
  if (key === undefined) return
  checkName('idempotencyKey', key)
  if (eventCount === 0) throw invalidArgument('idempotencyKey needs at least one event to be carried by.')
}

function checkCheckpoint(checkpoint: Checkpoint): void {
  checkName('checkpoint.group', checkpoint.group)
  checkTopic(checkpoint.topic)
  checkInteger('checkpoint.partition', checkpoint.partition, 0)
  checkInteger('checkpoint.offset', checkpoint.offset, 0)
}

function countGivenIds(events: readonly EnvelopeOptions[]): number {
  const given = events.flatMap((event) => event.eventId ?? [])
  if (given.length === 0) return 0
  if (new Set(given).size < given.length) {
    throw new DuologError('EVENT_ID_REUSED', 'Two events of this append have the same eventId; give each its own.')
  }
  return given.length
}

function invalidEvent(where: string, type: string | undefined, flaw: string): DuologError {
  return new DuologError('INVALID_EVENT', `${where}${type === undefined ? '' : ` (${type})`}: ${flaw}.`)
}
