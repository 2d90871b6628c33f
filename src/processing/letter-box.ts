import { randomBytes } from 'node:crypto'
import { DuologError, isExpectedVersionConflict } from '../core/errors.ts'
import type { OutgoingMessage } from '../core/event.ts'
import { reach } from '../core/reach.ts'
import type { EventStore } from '../store/event-store.ts'
import {
  type DeadLetter,
  type DeadLetterEvent,
  type DeadLetterStatus,
  deadLetterEventNames,
  deadLetterStream,
  redriveTarget,
  toRedriven,
} from './dead-letter.ts'

/*
 * The letters of one topic, read from their stream, and how they are settled.
 *
 * P2 That a letter was redriven and its message are one append. P5 Whoever settles first settles; nobody else after him.
 */

/** A letter and what became of it. */
export interface DeadLetterEntry extends DeadLetter {
  /** What became of it. */
  readonly status: DeadLetterStatus
  /** Who settled it, when and how; nothing: it is open. */
  readonly settled?: {
    /** Who settled it. */
    readonly by: string
    /** ISO time. */
    readonly at: string
    /** Of a discarded one. */
    readonly reason?: string
    /** Of a redriven one: the topic, and the trace it began. */
    readonly to?: string
    /** Of the trace that the redriven message began. */
    readonly traceparent?: string
  }
}

export interface Letters {
  /** In the order they were put aside. */
  readonly byId: ReadonlyMap<string, DeadLetterEntry>
  readonly version: number
  /** Those that were put aside again since are nobody's wish yet: who settles all would send them again and again. */
  readonly fresh: ReadonlySet<string>
}

export interface SettlePlan {
  readonly accepted: readonly DeadLetterEntry[]
  readonly refused: readonly Refused[]
}

export interface Refused {
  readonly letter: DeadLetterEntry
  readonly reason: string
}

export type Settling =
  | { readonly action: 'redrive'; readonly by: string }
  | { readonly action: 'discard'; readonly by: string; readonly reason: string }

/** Settled in one append at most. */
const CHUNK_LETTERS = 200

/** `asOf`: the version of the stream behind which a letter is fresh. */
export async function readLetters(store: EventStore, topic: string, asOf = Number.POSITIVE_INFINITY): Promise<Letters> {
  const byId = new Map<string, DeadLetterEntry>()
  const fresh = new Set<string>()
  let version = 0
  for await (const event of store.readStream(deadLetterStream(topic))) {
    version = event.streamPosition
    if (!deadLetterEventNames.has(event.type)) continue
    const recorded = event as unknown as Recorded
    evolve(byId, recorded)
    if (recorded.type === 'DeadLettered' && version > asOf) fresh.add(recorded.data.id)
  }
  return { byId, version, fresh }
}

type Recorded = DeadLetterEvent & { readonly timestamp: string }

function evolve(byId: Map<string, DeadLetterEntry>, { timestamp: at, ...event }: Recorded): void {
  if (event.type === 'DeadLettered') {
    byId.set(event.data.id, { at, ...event.data, status: 'open' })
    return
  }
  const { id, ...settled } = event.data
  const letter = byId.get(id)
  const status = event.type === 'DeadLetterRedriven' ? 'redriven' : 'discarded'
  if (letter !== undefined) byId.set(id, { ...letter, status, settled: { at, ...withoutUndefined(settled) } })
}

function withoutUndefined<T extends object>(value: T): { [Field in keyof T]: Exclude<T[Field], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as never
}

/**
 * Plans on the letters as they are, and settles; where somebody else was first, plans again on what is left. What fails again
 * meanwhile is left alone.
 */
export async function settleLetters(
  store: EventStore,
  topic: string,
  settling: Settling,
  plan: (letters: Letters) => SettlePlan,
): Promise<SettlePlan> {
  const settled: DeadLetterEntry[] = []
  const unsendable: Refused[] = []
  let asOf: number | undefined
  for (;;) {
    const letters = await readLetters(store, topic, asOf)
    asOf ??= letters.version
    const { accepted, refused } = plan(letters)
    const due = accepted.filter(({ id }) => !unsendable.some(({ letter }) => letter.id === id)).slice(0, CHUNK_LETTERS)
    if (due.length === 0) return { accepted: settled, refused: [...unsendable, ...refused] }
    const sendable = await withMessages(store, settling, due)
    unsendable.push(...sendable.refused)
    if (sendable.settled.length === 0) continue
    reach('dead-letters.settle.begin')
    if (await append(store, topic, sendable, letters.version)) settled.push(...sendable.settled)
    reach('dead-letters.settle.done')
  }
}

interface Sendable {
  readonly settled: readonly DeadLetterEntry[]
  readonly events: readonly DeadLetterEvent[]
  readonly outgoing: readonly OutgoingMessage[]
  readonly refused: readonly Refused[]
}

async function withMessages(
  store: EventStore,
  settling: Settling,
  letters: readonly DeadLetterEntry[],
): Promise<Sendable> {
  const { action, by } = settling
  if (action === 'discard') {
    const { reason } = settling
    const events = letters.map(({ id }): DeadLetterEvent => ({ type: 'DeadLetterDiscarded', data: { id, by, reason } }))
    return { settled: letters, events, outgoing: [], refused: [] }
  }
  const whole = await Promise.all(letters.map(async (letter) => ({ letter, found: await withData(store, letter) })))
  const sent = whole.flatMap(({ letter, found }) => (found ? [{ letter, found, traceparent: newTraceparent() }] : []))
  return {
    settled: sent.map(({ letter }) => letter),
    events: sent.map(({ letter, traceparent }): DeadLetterEvent => {
      return { type: 'DeadLetterRedriven', data: { id: letter.id, to: redriveTarget(letter), by, traceparent } }
    }),
    outgoing: sent.map(({ found, traceparent }) => toRedriven(found, traceparent)),
    refused: whole.flatMap(({ letter, found }) => (found ? [] : [{ letter, reason: GONE }])),
  }
}

const GONE = 'its data was too large to be kept with it, and the record it came from is gone'

/** False: somebody else was first. */
async function append(
  store: EventStore,
  topic: string,
  { events, outgoing }: Sendable,
  version: number,
): Promise<boolean> {
  try {
    await store.appendToStream(deadLetterStream(topic), events, { expectedStreamVersion: version, outgoing })
    return true
  } catch (error) {
    if (isExpectedVersionConflict(error)) return false
    throw error
  }
}

const READ_MS = 5_000

/** What was too large to be kept is read where it came from; of an event the fact itself is enough. */
async function withData(store: EventStore, letter: DeadLetter): Promise<DeadLetter | undefined> {
  if (!letter.omitted || letter.streamPosition !== undefined) return letter
  const { topic, partition, offset } = letter
  const ends = await store.partitionEnds(topic)
  if (!ends.some((end) => end.partition === partition && end.offset > offset)) return undefined
  const signal = AbortSignal.timeout(READ_MS)
  for await (const { messages, position } of store.followPartitions([{ topic, partition, offset }], { signal })) {
    const found = messages.find((message) => message.offset === offset)
    if (found !== undefined) return { ...letter, data: found.data }
    if (position.offset > offset) return undefined
  }
  throw new DuologError(
    'TIMEOUT',
    `Record ${offset} of partition ${partition} of "${topic}" could not be read in time.`,
    {
      retry: 'now',
    },
  )
}

function newTraceparent(): string {
  return `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`
}
