import { type DuologError, isDuologError } from '../core/errors.ts'
import type { AnyEvent, OutgoingMessage, RecordedEvent } from '../core/event.ts'
import { isRecordedEvent } from '../core/event.ts'
import { reach } from '../core/reach.ts'
import type { Checkpoint, EventStore } from '../store/event-store.ts'
import { systemClock } from '../store/system.ts'
import {
  type DeadLetter,
  deadLetterStream,
  type Effect,
  factOf,
  redriveHeaders,
  toCopy,
  toLetter,
  withoutData,
} from './dead-letter.ts'
import type { Projected } from './projection.ts'
import { codeOf } from './retry-policy.ts'
import { shortKey } from './short-key.ts'

/*
 * P2 P6 A dead letter, its copy and, where it may, the checkpoint are one append: no message is lost between two topics.
 * P5 Its idempotency key is its place: put aside twice it is one letter.
 */

export interface Aside {
  readonly message: Projected
  readonly group: string
  /** Of a projection: its view. */
  readonly view?: string
  readonly attempts: number
  readonly why: Why
  readonly checkpoint: Checkpoint | undefined
  /** What its handler appended all the same. */
  readonly effect?: Effect | undefined
}

export interface Why {
  readonly reason: string
  /** The error's code or name. */
  readonly error: string
}

export async function putAside<E extends AnyEvent>(store: EventStore<E>, aside: Aside): Promise<void> {
  const { group, view, attempts, why, effect } = aside
  const message = await withOrigin(store, aside)
  const at = new Date(systemClock.now()).toISOString()
  const raw = await store.readRaw?.(message)
  const failure = { ...why, group, attempts, at, ...(view !== undefined && { view }), ...(effect && { effect }) }
  const letter = toLetter(message, failure, raw)
  reach('processor.put-aside.begin')
  try {
    await append(store, aside, letter, [toCopy(letter)])
  } catch (error) {
    // Perhaps too large, or nested too deeply, for what is around it: it is put aside all the same, its data where it was.
    if (!isDuologError(error) || error.retry !== 'never' || isOver(error)) throw error
    await append(store, aside, withoutData(letter), [])
  }
  reach('processor.put-aside.done')
}

async function append<E extends AnyEvent>(
  store: EventStore<E>,
  { message, group, checkpoint }: Aside,
  letter: DeadLetter,
  outgoing: readonly OutgoingMessage[],
): Promise<void> {
  const { topic, partition, offset } = message
  const put = { type: 'DeadLettered', data: letter } as unknown as E
  await store.appendToStream(deadLetterStream(letter.topic), [put], {
    idempotencyKey: shortKey(`letter:${topic}/${partition}/${offset}/${group}`),
    outgoing,
    ...(checkpoint && { checkpoint }),
  })
}

function isOver({ code }: DuologError): boolean {
  return code === 'STORE_CLOSED' || code === 'CHECKPOINT_FENCED' || code === 'UNKNOWN_EVENT_TYPE' || code === 'ABORTED'
}

/** A redriven event: it points to the fact. */
export function isPointer(message: Projected, group: string): boolean {
  return pointedAt(message, group) !== undefined
}

function pointedAt(message: Projected, group: string) {
  return isRecordedEvent(message) ? undefined : factOf(message, group)
}

/** A redriven event stands for the fact itself. */
export async function resolveFact<E extends AnyEvent>(
  store: EventStore<E>,
  message: Projected<E>,
  group: string,
): Promise<Projected<E>> {
  const fact = pointedAt(message, group)
  if (fact === undefined) return message
  const range = { from: fact.position, to: fact.position }
  for await (const event of store.readStream<E>(fact.stream, range)) return event
  return message
}

/** What failed again is a letter of the topic it came from at first, and knows how often it was redriven. */
async function withOrigin<E extends AnyEvent>(
  store: EventStore<E>,
  { message, group }: Pick<Aside, 'message' | 'group'>,
): Promise<Projected> {
  if (!isPointer(message, group)) return message
  const event: RecordedEvent | Projected = await resolveFact(store, message as Projected<E>, group)
  return { ...event, headers: { ...event.headers, ...redriveHeaders(message) } }
}

export function whyOf(error: unknown): Why {
  if (!(error instanceof Error)) return { reason: String(error), error: 'Error' }
  return { reason: error.message, error: codeOf(error) ?? error.name }
}
