import * as z from 'zod'
import { defineEvent, type EventOf } from '../core/catalogue.ts'
import type { OutgoingMessage, RawRecord } from '../core/event.ts'
import { isRecordedEvent } from '../core/event.ts'
import { flawOfKey, flawOfName } from '../store/check-arguments.ts'
import type { Projected } from './projection.ts'

/*
 * Dead letters of one topic as facts in a stream: what was put aside and why, what became of it. The topic `TOPIC.dlq`
 * gets a copy for other tools; what is open is told by the stream alone.
 *
 * P5 A letter's id is its place: put aside twice it is one letter. It is redriven or discarded once.
 */

/** Bytes as base64. */
const rawSchema = z.object({
  /** Nothing: the record has none. */
  key: z.string().nullable(),
  /** Nothing: the record is a tombstone. */
  value: z.string().nullable(),
  /** In their order. */
  headers: z.array(z.tuple([z.string(), z.string()])),
})

const letterSchema = z.object({
  /** Names the letter: `GROUP/TOPIC/PARTITION/OFFSET` of its message. */
  id: z.string(),
  /** Whose handler could not take it in. */
  group: z.string(),
  /** Where the message lies. */
  topic: z.string(),
  /** Where the message lies. */
  partition: z.number(),
  /** Where the message lies. */
  offset: z.number(),
  /** Of a message that was redriven and put aside again: where it lay at first, which is its place in the order. */
  firstOffset: z.number().optional(),
  /** Of the message; its order is kept when it is redriven. */
  key: z.string(),
  /** Of the message. */
  type: z.string(),
  /** Of the data's schema. */
  version: z.number(),
  /** Of the message, as it was. */
  data: z.unknown(),
  /** Of the message. */
  eventId: z.string(),
  /** When the message was written, ISO. */
  timestamp: z.string(),
  /** Of the message. */
  correlationId: z.string(),
  /** Of the message. */
  causationId: z.string().optional(),
  /** Of the message. */
  headers: z.record(z.string(), z.string()),
  /** Of an event: its place in its stream. */
  streamPosition: z.number().optional(),
  /** Why it was put aside, for people. */
  reason: z.string(),
  /** The error's code or name. */
  error: z.string(),
  /** How often it was tried. */
  attempts: z.number(),
  /** How often this message was redriven before. */
  redrives: z.number(),
  /** Of a projection: its view. */
  view: z.string().optional(),
  /** When it was put aside, ISO; absent in letters of a program that did not write it. */
  at: z.string().optional(),
  /** The record as bytes (base64), where data and headers do not say all of it. */
  raw: rawSchema.optional(),
  /** The data is too large to be kept here: it lies where the message came from. */
  omitted: z.boolean().optional(),
  /** The append of its handler that is in the log: redriven it is answered by that one. */
  effect: z.object({ stream: z.string(), idempotencyKey: z.string() }).optional(),
})

/** A message that was put aside, as it was, with why. */
export type DeadLetter = z.infer<typeof letterSchema>

/** Where an append of a handler went, and under which key. */
export type Effect = NonNullable<DeadLetter['effect']>

/** What dead letters write into their streams; a store with a catalogue needs them in it. */
export const deadLetterEvents = [
  defineEvent({ name: 'DeadLettered', data: letterSchema }),
  defineEvent({
    name: 'DeadLetterRedriven',
    data: z.object({ id: z.string(), to: z.string(), by: z.string(), traceparent: z.string().optional() }),
  }),
  defineEvent({ name: 'DeadLetterDiscarded', data: z.object({ id: z.string(), by: z.string(), reason: z.string() }) }),
] as const

/** One of {@link deadLetterEvents}. */
export type DeadLetterEvent = EventOf<(typeof deadLetterEvents)[number]>

export const deadLetterEventNames: ReadonlySet<string> = new Set(deadLetterEvents.map(({ name }) => name))

const STREAM = 'dead-letters:'
export const deadLetterStream = (topic: string) => `${STREAM}${topic}`
export const topicOfDeadLetterStream = (stream: string) =>
  stream.startsWith(STREAM) ? stream.slice(STREAM.length) : undefined
/** Where a group gets events again: a fact is not written twice. */
export const redriveTopic = (group: string) => `${group}.redrive`

const REDRIVES = 'redrive-count'
const LETTER = 'redrive-of'
const SOURCE = 'redrive-topic'
const FIRST = 'redrive-first-offset'
const POSITION = 'redrive-stream-position'
/** The trace in which the message failed; its new trace points there. */
const TRACE_LINK = 'redrive-trace-link'
const TRACE_STATE = 'tracestate'
const EFFECT = 'redrive-effect'
const OURS = new Set([REDRIVES, LETTER, SOURCE, FIRST, POSITION, TRACE_LINK, EFFECT])

/** Of a header that anybody may have written. */
const effectIn = z
  .string()
  .transform((text, context) => {
    try {
      return JSON.parse(text) as unknown
    } catch {
      context.addIssue('not JSON')
      return z.NEVER
    }
  })
  .pipe(letterSchema.shape.effect)

export interface Failure {
  readonly group: string
  readonly reason: string
  readonly error: string
  readonly attempts: number
  /** ISO time. */
  readonly at: string
  readonly view?: string
  readonly effect?: Effect
}

export function toLetter(message: Projected, failure: Failure, raw?: RawRecord): DeadLetter {
  const { topic, partition, offset, key, type, version, data, eventId, timestamp, correlationId, causationId } = message
  const { group, reason, error, attempts, at, view, effect } = failure
  const headers = Object.fromEntries(Object.entries(message.headers).filter(([name]) => !OURS.has(name)))
  return {
    id: `${group}/${topic}/${partition}/${offset}`,
    ...{ group, topic, partition, offset, key, type, version, data, eventId, timestamp, correlationId, headers },
    ...firstOf(message, group),
    ...(causationId !== undefined && { causationId }),
    ...(isRecordedEvent(message) && { streamPosition: message.streamPosition }),
    ...{ reason: clean(reason), error: clean(error), attempts, redrives: redrivesOf(message), at },
    ...(view !== undefined && { view }),
    ...(effect && { effect }),
    ...(raw && { raw: toBase64(raw) }),
  }
}

/** Without its data: what is too large to be put aside whole. */
export function withoutData({ raw: _, ...letter }: DeadLetter): DeadLetter {
  return { ...letter, data: null, omitted: true }
}

function toBase64({ key, value, headers }: RawRecord): NonNullable<DeadLetter['raw']> {
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
  return { key: key && text(key), value: value && text(value), headers: headers.map(([name, b]) => [name, text(b)]) }
}

function fromBase64({ key, value, headers }: NonNullable<DeadLetter['raw']>): RawRecord {
  const bytes = (text: string) => Buffer.from(text, 'base64')
  return {
    key: key === null ? null : bytes(key),
    value: value === null ? null : bytes(value),
    headers: headers.map(([name, text]) => [name, bytes(text)]),
  }
}

/** The copy in `TOPIC.dlq`, with the headers that Kafka's tools know. */
export function toCopy(letter: DeadLetter): OutgoingMessage {
  const { topic, partition, offset, timestamp, reason, error, attempts, redrives } = letter
  return {
    ...envelopeOf(letter, {
      'kafka_dlt-original-topic': topic,
      'kafka_dlt-original-partition': String(partition),
      'kafka_dlt-original-offset': String(offset),
      'kafka_dlt-original-timestamp': String(Date.parse(timestamp)),
      'kafka_dlt-original-consumer-group': letter.group,
      'kafka_dlt-exception-fqcn': error,
      'kafka_dlt-exception-message': reason,
      attempts: String(attempts),
      [REDRIVES]: String(redrives),
    }),
    topic: `${topic}.dlq`,
  }
}

/**
 * The message again: to its topic, in its partition; an event to its group only, as a pointer to the fact (P3). It begins a
 * trace of its own that names the one it failed in.
 */
export function toRedriven(letter: DeadLetter, traceparent: string): OutgoingMessage {
  const { raw: _raw, ...plain } = letter
  const { [TRACE_STATE]: _, traceparent: failedIn, ...headers } = letter.headers
  const added = {
    ...{ [REDRIVES]: String(letter.redrives + 1), [LETTER]: clean(letter.id), [SOURCE]: letter.topic, traceparent },
    [FIRST]: String(letter.firstOffset ?? letter.offset),
    ...(failedIn !== undefined && { [TRACE_LINK]: failedIn }),
    ...(letter.effect && { [EFFECT]: JSON.stringify(letter.effect) }),
  }
  const topic = redriveTarget(letter)
  if (letter.streamPosition !== undefined) {
    const pointer = { ...added, [POSITION]: String(letter.streamPosition) }
    return { ...envelopeOf({ ...plain, headers }, pointer), topic }
  }
  const message = { ...envelopeOf({ ...letter, headers }, added), topic }
  return message.raw === undefined ? message : { ...message, raw: asRedriven(message.raw, letter) }
}

/** As it was, but for what belongs to the trace it failed in, and to a redrive before this one. */
function asRedriven(raw: RawRecord, { partition }: DeadLetter): RawRecord & { readonly partition: number } {
  return { ...raw, headers: raw.headers.filter(([name]) => name !== TRACE_STATE && !OURS.has(name)), partition }
}

/** Where a letter's message goes when it is sent again. */
export function redriveTarget({ group, topic, streamPosition }: DeadLetter): string {
  return streamPosition === undefined ? topic : redriveTopic(group)
}

/**
 * Of a redriven event: which fact it points to. Only in the topic where this group gets events again: in any other the header
 * is a stranger's, or was passed on.
 */
export function factOf(
  { topic, key, headers }: Projected,
  group: string,
): { readonly stream: string; readonly position: number } | undefined {
  const position = topic === redriveTopic(group) ? countIn(headers[POSITION]) : 0
  return position > 0 ? { stream: key, position } : undefined
}

/** Only of a letter of this group's own: to any other the message is one that lies where it lies. */
function firstOf({ topic, offset, headers }: Projected, group: string): Pick<DeadLetter, 'firstOffset'> {
  const { [FIRST]: text = '', [LETTER]: id = '' } = headers
  const firstOffset = countIn(text)
  const isOwn = /^\d+$/.test(text) && id.startsWith(clean(`${group}/${topic}/`))
  return isOwn && firstOffset < offset ? { firstOffset } : {}
}

/** How often a message was redriven. */
export function redrivesOf({ headers }: Projected): number {
  return countIn(headers[REDRIVES])
}

/** 0 where a header says anything else: anybody may have written it, and nobody is to wait for it. */
function countIn(header: string | undefined): number {
  const count = /^\d+$/.test(header ?? '') ? Number(header) : 0
  return Number.isSafeInteger(count) ? count : 0
}

/**
 * What the handler of a redriven message had appended before it was put aside. Only where this group had put this message
 * aside: other groups get it, too, and headers are passed on.
 */
export function effectOf({ topic, headers }: Projected, group: string): Effect | undefined {
  const { [EFFECT]: text, [SOURCE]: source, [LETTER]: id = '' } = headers
  const isItself = topic === source || topic === redriveTopic(group)
  if (text === undefined || !isItself || !id.startsWith(clean(`${group}/${source}/`))) return undefined
  return effectIn.safeParse(text).data
}

/** How often and from where a redriven message comes: what a second failure must know of the first. */
export function redriveHeaders({ headers }: Projected): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name === REDRIVES))
}

type Envelope = Omit<OutgoingMessage, 'topic'>

function envelopeOf(letter: DeadLetter, added: Record<string, string>): Envelope {
  const { key, type, version, data, eventId, timestamp, correlationId, causationId, raw } = letter
  if (raw !== undefined) {
    // Bytes speak for themselves; what else is said of them must only be fit to be said.
    const said = { key: flawOfKey(key) ? '-' : key, type: flawOfName(type) ? 'unknown' : type, data: null }
    return { ...said, headers: added, raw: fromBase64(raw) }
  }
  return {
    ...{ key, type, version, data, eventId, timestamp, correlationId, headers: { ...letter.headers, ...added } },
    ...(causationId !== undefined && { causationId }),
  }
}

function clean(text: string): string {
  return text.toWellFormed().replaceAll('\0', '').slice(0, 4096)
}

/** What became of a letter. */
export type DeadLetterStatus = 'open' | 'redriven' | 'discarded'
