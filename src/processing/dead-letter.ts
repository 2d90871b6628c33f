import { z } from 'zod'
import { defineEvent, type EventOf } from '../core/catalogue.ts'
import type { Decider } from '../core/decider.ts'
import type { OutgoingMessage } from '../core/event.ts'
import { isRecordedEvent } from '../core/event.ts'
import type { Projected } from './projection.ts'

/*
 * Dead letters of one topic as facts in a stream: what was put aside and why, what became of it. The topic `TOPIC.dlq`
 * gets a copy for other tools; what is open is told by the stream alone.
 *
 * P5 A letter's id is its place: put aside twice it is one letter. It is redriven or discarded once.
 */

const letterSchema = z.object({
  id: z.string(),
  group: z.string(),
  topic: z.string(),
  partition: z.number(),
  offset: z.number(),
  key: z.string(),
  type: z.string(),
  version: z.number(),
  data: z.unknown(),
  eventId: z.string(),
  timestamp: z.string(),
  correlationId: z.string(),
  causationId: z.string().optional(),
  headers: z.record(z.string(), z.string()),
  /** Of an event: its place in its stream. */
  streamPosition: z.number().optional(),
  reason: z.string(),
  /** The error's code or name. */
  error: z.string(),
  attempts: z.number(),
  /** How often this message was redriven before. */
  redrives: z.number(),
  /** When it was put aside, ISO; absent in letters of a program that did not write it. */
  at: z.string().optional(),
})

/** A message that was put aside, as it was, with why. */
export type DeadLetter = z.infer<typeof letterSchema>

/** What dead letters write into their streams; a store with a catalogue needs them in it. */
export const deadLetterEvents = [
  defineEvent({ name: 'DeadLettered', data: letterSchema }),
  defineEvent({ name: 'DeadLetterRedriven', data: z.object({ id: z.string(), to: z.string(), by: z.string() }) }),
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
const POSITION = 'redrive-stream-position'

export interface Failure {
  readonly group: string
  readonly reason: string
  readonly error: string
  readonly attempts: number
  /** ISO time. */
  readonly at: string
}

export function toLetter(message: Projected, { group, reason, error, attempts, at }: Failure): DeadLetter {
  const { topic, partition, offset, key, type, version, data, eventId, timestamp, correlationId, causationId } = message
  const { [REDRIVES]: redrives = '0', [LETTER]: _, [SOURCE]: __, [POSITION]: ___, ...headers } = message.headers
  return {
    id: `${group}/${topic}/${partition}/${offset}`,
    ...{ group, topic, partition, offset, key, type, version, data, eventId, timestamp, correlationId, headers },
    ...(causationId !== undefined && { causationId }),
    ...(isRecordedEvent(message) && { streamPosition: message.streamPosition }),
    ...{ reason, error, attempts, redrives: Number(redrives), at },
  }
}

/** The copy in `TOPIC.dlq`, with the headers that Kafka's tools know. */
export function toCopy(letter: DeadLetter): OutgoingMessage {
  const { topic, partition, offset, timestamp, reason, error, attempts } = letter
  return {
    ...envelopeOf(letter),
    topic: `${topic}.dlq`,
    headers: {
      ...letter.headers,
      'kafka_dlt-original-topic': topic,
      'kafka_dlt-original-partition': String(partition),
      'kafka_dlt-original-offset': String(offset),
      'kafka_dlt-original-timestamp': timestamp,
      'kafka_dlt-original-consumer-group': letter.group,
      'kafka_dlt-exception-fqcn': clean(error),
      'kafka_dlt-exception-message': clean(reason),
      attempts: String(attempts),
      [REDRIVES]: String(letter.redrives),
    },
  }
}

/** The message again: to its topic; an event to its group only, as a pointer to the fact. */
export function toRedriven(letter: DeadLetter): OutgoingMessage {
  const { id, group, topic, streamPosition, redrives } = letter
  const headers = { ...letter.headers, [REDRIVES]: String(redrives + 1), [LETTER]: clean(id), [SOURCE]: topic }
  if (streamPosition === undefined) return { ...envelopeOf(letter), topic, headers }
  const pointer = { ...headers, [POSITION]: String(streamPosition) }
  return { ...envelopeOf(letter), topic: redriveTopic(group), headers: pointer }
}

/** Of a redriven event: which fact it points to. */
export function factOf({
  key,
  headers,
}: Projected): { readonly stream: string; readonly position: number } | undefined {
  const position = Number(headers[POSITION] ?? 0)
  return position > 0 ? { stream: key, position } : undefined
}

/** How often a message was redriven. */
export function redrivesOf({ headers }: Projected): number {
  return Number(headers[REDRIVES] ?? 0)
}

/** How often and from where a redriven message comes: what a second failure must know of the first. */
export function redriveHeaders({ headers }: Projected): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name === REDRIVES))
}

function envelopeOf(letter: DeadLetter) {
  const { key, type, version, data, eventId, timestamp, correlationId, causationId } = letter
  return {
    ...{ key, type, version, data, eventId, timestamp, correlationId },
    ...(causationId !== undefined && { causationId }),
  }
}

function clean(text: string): string {
  return text.toWellFormed().replaceAll('\0', '').slice(0, 4096)
}

/** What became of a letter. */
export type DeadLetterStatus = 'open' | 'redriven' | 'discarded'

/** The letters of one topic by id, in the order they were put aside. */
export type DeadLetters = ReadonlyMap<string, DeadLetter & { readonly status: DeadLetterStatus }>

export interface SettleLetters {
  readonly action: 'redrive' | 'discard'
  readonly ids: readonly string[]
  readonly by: string
  readonly reason: string
}

export const deadLetterDecider: Decider<DeadLetters, SettleLetters, DeadLetterEvent> = {
  initialState: () => new Map(),
  evolve: (letters, event) => {
    const { data } = event
    if (event.type === 'DeadLettered') return new Map(letters).set(data.id, { ...event.data, status: 'open' })
    const letter = letters.get(data.id)
    const status = event.type === 'DeadLetterRedriven' ? 'redriven' : 'discarded'
    return letter === undefined ? letters : new Map(letters).set(data.id, { ...letter, status })
  },
  decide: ({ action, ids, by, reason }, letters) =>
    ids.flatMap((id): DeadLetterEvent[] => {
      const letter = letters.get(id)
      if (letter?.status !== 'open') return []
      if (action === 'discard') return [{ type: 'DeadLetterDiscarded', data: { id, by, reason } }]
      return [{ type: 'DeadLetterRedriven', data: { id, to: toRedriven(letter).topic, by } }]
    }),
}
