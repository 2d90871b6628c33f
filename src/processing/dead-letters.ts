import { DuologError } from '../core/errors.ts'
import { createCommandHandler } from '../store/command-handler.ts'
import type { EventStore } from '../store/event-store.ts'
import {
  type DeadLetter,
  type DeadLetterEvent,
  type DeadLetterStatus,
  type DeadLetters,
  deadLetterDecider,
  deadLetterStream,
  topicOfDeadLetterStream,
  toRedriven,
} from './dead-letter.ts'

/*
 * Looking at dead letters and settling them. Each settling is a fact with a name beside it.
 */

/** A letter and what became of it. */
export type DeadLetterEntry = DeadLetter & { readonly status: DeadLetterStatus }

/** Which letters; what is absent does not restrict. */
export interface DeadLetterFilter {
  readonly ids?: readonly string[]
  readonly group?: string
  readonly key?: string
  readonly type?: string
  /** The error's code or name. */
  readonly error?: string
  /** Default `open`. */
  readonly status?: DeadLetterStatus | 'any'
}

/** How letters are settled. */
export interface SettleOptions {
  readonly filter?: DeadLetterFilter
  /** Who does it; part of the record. */
  readonly by: string
  /** Only says what would be done. */
  readonly dryRun?: boolean
}

/** Options of {@link redriveDeadLetters}. */
export interface RedriveOptions extends SettleOptions {
  /** A message redriven so often already is refused: it goes in circles. Default 5. */
  readonly maxRedrives?: number
}

/** What came of it. */
export interface Settled {
  readonly settled: readonly DeadLetterEntry[]
  /** Those that were not, and why. */
  readonly refused: readonly { readonly letter: DeadLetterEntry; readonly reason: string }[]
}

const DEFAULT_MAX_REDRIVES = 5

/** The topics that have dead letters, or had. */
export async function listDeadLetterTopics(store: EventStore): Promise<readonly string[]> {
  const topics: string[] = []
  for await (const { stream } of store.listStreams()) topics.push(...[topicOfDeadLetterStream(stream) ?? []].flat())
  return topics.sort()
}

/** The dead letters of a topic in the order they were put aside. */
export async function listDeadLetters(
  store: EventStore,
  topic: string,
  filter: DeadLetterFilter = {},
): Promise<readonly DeadLetterEntry[]> {
  return select(
    await handlerOf(store)
      .load(deadLetterStream(topic))
      .then(({ state }) => state),
    filter,
  )
}

/** @throws DEAD_LETTER_NOT_FOUND */
export async function showDeadLetter(store: EventStore, topic: string, id: string): Promise<DeadLetterEntry> {
  const [letter] = await listDeadLetters(store, topic, { ids: [id], status: 'any' })
  if (letter !== undefined) return letter
  throw new DuologError('DEAD_LETTER_NOT_FOUND', `Topic "${topic}" has no dead letter "${id}". List them first.`)
}

/**
 * Sends letters again: a message to its topic, an event to the group that failed at it. Exactly once: the record that it
 * was redriven and the message are one append. Refused are letters of which an earlier one with the same key stays open
 * (a key's order is kept), and those that go in circles.
 */
export async function redriveDeadLetters(store: EventStore, topic: string, options: RedriveOptions): Promise<Settled> {
  const { filter = {}, maxRedrives = DEFAULT_MAX_REDRIVES } = options
  const handler = handlerOf(store)
  const { state } = await handler.load(deadLetterStream(topic))
  const wanted = select(state, { ...filter, status: 'open' }).toSorted(inOrder)
  const refused = refusals(state, wanted, maxRedrives)
  return settle(store, topic, { action: 'redrive', wanted, refused, reason: '' }, options)
}

/** Settles letters without sending them again. */
export async function discardDeadLetters(
  store: EventStore,
  topic: string,
  options: SettleOptions & { readonly reason: string },
): Promise<Settled> {
  const wanted = await listDeadLetters(store, topic, { ...options.filter, status: 'open' })
  return settle(store, topic, { action: 'discard', wanted, refused: new Map(), reason: options.reason }, options)
}

interface Plan {
  readonly action: 'redrive' | 'discard'
  readonly wanted: readonly DeadLetterEntry[]
  readonly refused: ReadonlyMap<string, string>
  readonly reason: string
}

async function settle(
  store: EventStore,
  topic: string,
  plan: Plan,
  { by, dryRun = false }: SettleOptions,
): Promise<Settled> {
  const { action, wanted, reason } = plan
  const accepted = wanted.filter(({ id }) => !plan.refused.has(id))
  const refused = wanted.flatMap((letter) => {
    const why = plan.refused.get(letter.id)
    return why === undefined ? [] : [{ letter, reason: why }]
  })
  if (dryRun || accepted.length === 0) return { settled: accepted, refused }
  const command = { action, ids: accepted.map(({ id }) => id), by, reason }
  const { events } = await handlerOf(store).handle(deadLetterStream(topic), command, {
    outgoing: (decided, letters) => decided.flatMap((event) => outgoing(event, letters)),
  })
  // Somebody else may have settled some of them meanwhile.
  const settled = new Set(events.map(({ data }) => data.id))
  return { settled: accepted.filter(({ id }) => settled.has(id)), refused }
}

function outgoing({ type, data }: DeadLetterEvent, letters: DeadLetters) {
  const letter = letters.get(data.id)
  return type === 'DeadLetterRedriven' && letter !== undefined ? [toRedriven(letter)] : []
}

function refusals(letters: DeadLetters, wanted: readonly DeadLetterEntry[], maxRedrives: number): Map<string, string> {
  const refused = new Map<string, string>()
  const chosen = new Set(wanted.map(({ id }) => id))
  for (const letter of [...letters.values()].filter(({ status }) => status === 'open').toSorted(inOrder)) {
    if (!chosen.has(letter.id)) continue
    if (letter.redrives >= maxRedrives) refused.set(letter.id, `it was redriven ${letter.redrives} times already`)
    const earlier = [...letters.values()].find(
      (other) => isEarlierOfKey(other, letter) && (!chosen.has(other.id) || refused.has(other.id)),
    )
    if (earlier !== undefined) refused.set(letter.id, `"${earlier.id}", before it with the same key, stays open`)
  }
  return refused
}

function isEarlierOfKey(other: DeadLetterEntry, letter: DeadLetterEntry): boolean {
  const { group, key, partition } = letter
  const sameKey = other.group === group && other.key === key && other.partition === partition
  return sameKey && other.status === 'open' && other.offset < letter.offset
}

function inOrder(a: DeadLetter, b: DeadLetter): number {
  return a.partition - b.partition || a.offset - b.offset
}

function select(letters: DeadLetters, filter: DeadLetterFilter): DeadLetterEntry[] {
  const { ids, group, key, type, error, status = 'open' } = filter
  const fits = <T>(wanted: T | undefined, actual: T) => wanted === undefined || wanted === actual
  return [...letters.values()].filter(
    (letter) =>
      (ids === undefined || ids.includes(letter.id)) &&
      (status === 'any' || letter.status === status) &&
      fits(group, letter.group) &&
      fits(key, letter.key) &&
      fits(type, letter.type) &&
      fits(error, letter.error),
  )
}

/** The store's own type says which events users append; these are ours. */
function handlerOf(store: EventStore) {
  return createCommandHandler({ store: store as unknown as EventStore<DeadLetterEvent>, decider: deadLetterDecider })
}
