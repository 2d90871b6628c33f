import { DuologError } from '../core/errors.ts'
import { checkNames, type Names } from '../core/known-names.ts'
import {
  checkInteger,
  checkNumber,
  checkOneOf,
  checkStore,
  describe,
  invalidArgument,
} from '../store/check-arguments.ts'
import type { EventStore } from '../store/event-store.ts'
import { systemClock } from '../store/system.ts'
import { type DeadLetter, type DeadLetterStatus, topicOfDeadLetterStream } from './dead-letter.ts'
import {
  type DeadLetterEntry,
  type Letters,
  type Refused,
  readLetters,
  type SettlePlan,
  settleLetters,
} from './letter-box.ts'

/*
 * Looking at dead letters and settling them. Each settling is a fact with a name beside it.
 */

export type { DeadLetterEntry }

/** Which letters; what is absent does not restrict. */
export interface DeadLetterFilter {
  /** Only these letters. */
  readonly ids?: readonly string[]
  /** Of this consumer group. */
  readonly group?: string
  /** Of messages with this key. */
  readonly key?: string
  /** Of messages of this type. */
  readonly type?: string
  /** The error's code or name. */
  readonly error?: string
  /** Put aside at least so long ago, milliseconds. */
  readonly olderThanMs?: number
  /** Put aside at most so long ago, milliseconds. */
  readonly newerThanMs?: number
  /** Default `open`. */
  readonly status?: DeadLetterStatus | 'any'
}

/** How letters are settled. */
export interface SettleOptions {
  /** Default: all that are open. */
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

type DiscardOptions = SettleOptions & { readonly reason: string }

/** What came of it. */
export interface Settled {
  /** In the order they were settled. */
  readonly settled: readonly DeadLetterEntry[]
  /** Those that were not, and why. */
  readonly refused: readonly { readonly letter: DeadLetterEntry; readonly reason: string }[]
}

const FILTER: Names<DeadLetterFilter> = {
  ids: true,
  group: true,
  key: true,
  type: true,
  error: true,
  olderThanMs: true,
  newerThanMs: true,
  status: true,
}
const SETTLE: Names<SettleOptions> = { filter: true, by: true, dryRun: true }
const REDRIVE: Names<RedriveOptions> = { ...SETTLE, maxRedrives: true }
const DISCARD: Names<DiscardOptions> = { ...SETTLE, reason: true }

/** A condition that nobody reads would settle all letters. */
function checkFilter(filter: DeadLetterFilter | undefined): void {
  checkNames('filter', filter, FILTER)
  if (filter?.ids !== undefined && !Array.isArray(filter.ids)) {
    throw invalidArgument(`ids must be a list of ids, got ${describe(filter.ids)}.`)
  }
  for (const name of ['olderThanMs', 'newerThanMs'] as const) {
    if (filter?.[name] !== undefined) checkNumber(name, filter[name], 0)
  }
  if (filter?.status !== undefined) checkOneOf('status', filter.status, ['open', 'redriven', 'discarded', 'any'])
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
  checkStore(store)
  checkFilter(filter)
  return select(await readLetters(store, topic), filter)
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
 * (a key's order is kept), those that go in circles, and those of a projection, whose view is to be built again.
 */
export async function redriveDeadLetters(store: EventStore, topic: string, options: RedriveOptions): Promise<Settled> {
  checkStore(store)
  checkNames('options of redriveDeadLetters', options ?? null, REDRIVE)
  checkSettling(options)
  const { filter, by, dryRun = false, maxRedrives = DEFAULT_MAX_REDRIVES } = options
  checkInteger('maxRedrives', maxRedrives, 0)
  const plan = (letters: Letters): SettlePlan => {
    return planRedrive(letters, openOf(letters, filter), maxRedrives)
  }
  return done(
    dryRun ? plan(await readLetters(store, topic)) : await settleLetters(store, topic, { action: 'redrive', by }, plan),
  )
}

/** Settles letters without sending them again. */
export async function discardDeadLetters(
  store: EventStore,
  topic: string,
  options: SettleOptions & { readonly reason: string },
): Promise<Settled> {
  checkStore(store)
  checkNames('options of discardDeadLetters', options ?? null, DISCARD)
  checkSettling(options)
  const { filter, by, reason, dryRun = false } = options
  checkText('reason', reason)
  const plan = (letters: Letters): SettlePlan => ({
    accepted: openOf(letters, filter),
    refused: [],
  })
  const settling = { action: 'discard', by, reason } as const
  return done(dryRun ? plan(await readLetters(store, topic)) : await settleLetters(store, topic, settling, plan))
}

function checkSettling({ filter, by, dryRun }: SettleOptions): void {
  checkFilter(filter)
  checkText('by', by)
  if (dryRun !== undefined && typeof dryRun !== 'boolean')
    throw invalidArgument(`dryRun must be true or false, got ${describe(dryRun)}.`)
}

function checkText(what: string, value: unknown): void {
  if (typeof value !== 'string') throw invalidArgument(`${what} must be text, got ${describe(value)}.`)
}

function done({ accepted, refused }: SettlePlan): Settled {
  return { settled: accepted, refused }
}

/** In order: what is refused holds up what comes after it with the same key, and so does what is open and not wanted. */
function planRedrive(letters: Letters, wanted: readonly DeadLetterEntry[], maxRedrives: number): SettlePlan {
  const chosen = new Set(wanted.map(({ id }) => id))
  const heldUp = new Map<string, string>()
  const accepted: DeadLetterEntry[] = []
  const refused: Refused[] = []
  const open = [...letters.byId.values()].filter(({ status }) => status === 'open')
  for (const letter of open.toSorted(inOrder)) {
    const { id, group, partition, key } = letter
    const line = JSON.stringify([group, partition, key])
    const earlier = heldUp.get(line)
    const reason = ofView(letter) ?? (earlier === undefined ? circling(letter, maxRedrives) : waitsFor(earlier))
    if (chosen.has(id) && reason === undefined) accepted.push(letter)
    else if (chosen.has(id)) refused.push({ letter, reason: reason ?? '' })
    if (!chosen.has(id) || reason !== undefined) heldUp.set(line, earlier ?? id)
  }
  return { accepted, refused }
}

function waitsFor(id: string): string {
  return `"${id}", before it with the same key, stays open`
}

/** A row is a fold in the order of the log: nothing can be slipped in behind. */
function ofView({ view }: DeadLetter): string | undefined {
  if (view === undefined) return undefined
  return `it is of the view "${view}": mend the projection, raise its version so that the view is built again, and discard it`
}

function circling({ redrives }: DeadLetter, maxRedrives: number): string | undefined {
  return redrives >= maxRedrives ? `it was redriven ${redrives} times already` : undefined
}

function inOrder(a: DeadLetter, b: DeadLetter): number {
  return a.partition - b.partition || placeOf(a) - placeOf(b)
}

/** What failed again stays where it was in the order. */
function placeOf({ offset, firstOffset = offset }: DeadLetter): number {
  return firstOffset
}

function openOf(letters: Letters, filter: DeadLetterFilter | undefined): DeadLetterEntry[] {
  return select(letters, { ...filter, status: 'open' }).filter(({ id }) => !letters.fresh.has(id))
}

function select({ byId }: Letters, filter: DeadLetterFilter): DeadLetterEntry[] {
  const { ids, group, key, type, error, status = 'open' } = filter
  const fits = <T>(wanted: T | undefined, actual: T) => wanted === undefined || wanted === actual
  const wantedIds = ids && new Set(ids)
  return [...byId.values()].filter(
    (letter) =>
      (wantedIds === undefined || wantedIds.has(letter.id)) &&
      (status === 'any' || letter.status === status) &&
      fits(group, letter.group) &&
      fits(key, letter.key) &&
      fits(type, letter.type) &&
      fits(error, letter.error) &&
      isOfAge(letter, filter),
  )
}

function isOfAge(
  { at = '' }: DeadLetterEntry,
  { olderThanMs = Number.NEGATIVE_INFINITY, newerThanMs = Number.POSITIVE_INFINITY }: DeadLetterFilter,
) {
  const ageMs = systemClock.now() - Date.parse(at)
  return ageMs >= olderThanMs && ageMs <= newerThanMs
}
