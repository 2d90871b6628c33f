import { isDuologError } from '../core/errors.ts'
import type { AnyEvent, RecordedEvent, RecordedMessage } from '../core/event.ts'
import { isRecordedEvent } from '../core/event.ts'
import { checkNames, type Names } from '../core/known-names.ts'
import { categoryOf } from './category.ts'
import { checkName, checkStore, checkStream, describe, invalidArgument } from './check-arguments.ts'
import type { EventStore, PartitionPosition } from './event-store.ts'
import { type Cursor, cursorAhead, formatCursor, parseCursor } from './subscription-cursor.ts'
import { pause } from './wake-ups.ts'

/*
 * History first, then what comes, for whoever wants to look on: no group, no checkpoint in the log, nothing shared.
 *
 * S1 No gap, no repeat: every event of the selection after the cursor comes once, also across a broker's restart.
 * S2 Order: within a stream always; between streams of one partition as in the log; between partitions none.
 * S3 The cursor lies behind the event handed out last and before the next one: what was not handed out is not passed.
 * S4 Memory: the batch at hand. What the program did not ask for is not read.
 */

/** Which events, from where. Conditions add up. */
export interface SubscribeOptions {
  /** Of this stream only. */
  readonly stream?: string
  /** Of streams whose name begins with this and a "-" (or is this): `order` has `order-17` and `order-18`. */
  readonly category?: string
  /** Of these types only. */
  readonly types?: readonly string[]
  /** A {@link Subscription.cursor}, or an end of the log. Default 'beginning'. */
  readonly from?: 'beginning' | 'end' | (string & {}) | undefined
  /** Ends the iteration, without an error. */
  readonly signal?: AbortSignal
  /** Called in the order of the events: all that was there when the subscription began has been handed out. Once. */
  readonly onCaughtUp?: () => void
  /** Hears of an event that the store's catalogue cannot read, and it is passed over. Default: the iteration rejects. Not with `stream`. */
  readonly unreadable?: (error: unknown, message: RecordedMessage | RecordedEvent) => void
}

/** Events as they are and as they come; iterate it once. */
export interface Subscription<E extends AnyEvent = AnyEvent> extends AsyncIterableIterator<RecordedEvent<E>> {
  /**
   * Resumes after the event handed out last, given as `from` of a subscription with the same `stream` or without one.
   * Text of one line; safe to keep anywhere. Store it after an event's effect and the effect happens at least once.
   * Before the first event was asked for: the `from` it began with, if that was a cursor.
   */
  readonly cursor: string | undefined
  /** True once everything that was there at the beginning has been handed out. */
  readonly caughtUp: boolean
  /** Ends the iteration, also one that waits. Idempotent. */
  close(): Promise<void>
}

/**
 * Subscribes to a stream, a category, types of events, or everything. Each event comes once and in the order of its
 * stream, history first. The log is read at the pace of the iteration.
 *
 * @throws INVALID_ARGUMENT; CHECKPOINT_AHEAD from the iteration when the cursor is of another log.
 */
export function subscribe<E extends AnyEvent>(store: EventStore<E>, options: SubscribeOptions = {}): Subscription<E> {
  const start = checkOptions(store as EventStore<never>, options)
  const closing = new AbortController()
  const signal = AbortSignal.any([closing.signal, ...(options.signal === undefined ? [] : [options.signal])])
  const place = new Place(start, options.onCaughtUp)
  const tools = { store, options, signal, place }
  const events = untilClosed(
    place,
    options.stream === undefined ? ofPartitions(tools) : ofStream(tools, options.stream),
  )
  const close = async () => {
    closing.abort()
    await events.return(undefined)
  }
  return {
    next: () => events.next(),
    return: async () => {
      await close()
      return { value: undefined, done: true }
    },
    [Symbol.asyncIterator]() {
      return this
    },
    get cursor() {
      return place.text
    },
    get caughtUp() {
      return place.caughtUp
    },
    close,
  }
}

/** A store that closes under a running subscription ends it; one that was closed before is an error. */
async function* untilClosed<T>(place: Place, events: AsyncGenerator<T, void, undefined>) {
  try {
    yield* events
  } catch (error) {
    if (!place.begun || !isDuologError(error, 'STORE_CLOSED')) throw error
  }
}

interface Tools<E extends AnyEvent> {
  readonly store: EventStore<E>
  readonly options: SubscribeOptions
  readonly signal: AbortSignal
  readonly place: Place
}

/** The cursor, as it moves. */
class Place {
  caughtUp = false
  begun = false
  cursor: Cursor | undefined
  readonly #onCaughtUp: (() => void) | undefined

  constructor(start: Cursor | undefined, onCaughtUp: (() => void) | undefined) {
    this.cursor = start
    this.#onCaughtUp = onCaughtUp
  }

  get text(): string | undefined {
    return this.cursor && formatCursor(this.cursor)
  }

  /** From now on the store is known to be open. */
  moveTo(cursor: Cursor): void {
    this.cursor = cursor
    this.begun = true
  }

  catchUp(): void {
    this.begun = true
    if (this.caughtUp) return
    this.caughtUp = true
    this.#onCaughtUp?.()
  }
}

/** A broker that is away is waited for; the store was patient with it already. */
const AWAY_PAUSE_MS = 200

async function* ofStream<E extends AnyEvent>(
  { store, options, signal, place }: Tools<E>,
  stream: string,
): AsyncGenerator<RecordedEvent<E>, void, undefined> {
  const wanted = selection(options)
  let last = await startInStream(store, stream, options.from)
  place.cursor = { kind: 'stream', streamPosition: last }
  const history = async function* () {
    for await (const event of store.readStream(stream, { from: last + 1 })) {
      last = event.streamPosition
      place.moveTo({ kind: 'stream', streamPosition: last })
      if (wanted(event)) yield event
      if (signal.aborted) return
    }
    place.catchUp()
  }
  while (!signal.aborted) {
    try {
      yield* history()
      if (!signal.aborted && !(await advanced(store, stream, last + 1, signal))) return
    } catch (error) {
      if (!isDuologError(error, 'BROKER_UNREACHABLE')) throw error
      await pause(AWAY_PAUSE_MS, signal)
    }
  }
}

async function startInStream<E extends AnyEvent>(store: EventStore<E>, stream: string, from: SubscribeOptions['from']) {
  const current = from === undefined || from === 'beginning' ? 0 : await store.waitForVersion(stream, 0)
  if (from === undefined || from === 'beginning' || from === 'end') return current
  const cursor = parseCursor(from)
  const position = cursor.kind === 'stream' ? cursor.streamPosition : 0
  if (position > current) throw cursorAhead(`stream "${stream}"`)
  return position
}

/** False when it was given up or the store closed. */
async function advanced<E extends AnyEvent>(
  store: EventStore<E>,
  stream: string,
  version: number,
  signal: AbortSignal,
) {
  try {
    await store.waitForVersion(stream, version, { signal })
    return true
  } catch (error) {
    if (signal.aborted || isDuologError(error, 'STORE_CLOSED')) return false
    throw error
  }
}

async function* ofPartitions<E extends AnyEvent>({
  store,
  options,
  signal,
  place,
}: Tools<E>): AsyncGenerator<RecordedEvent<E>, void, undefined> {
  const ends = await store.partitionEnds(store.eventTopic)
  const starts = ends.map((end) => startOf(end, options.from, place.cursor))
  const offsets = new Map(starts.map(({ partition, offset }) => [partition, offset]))
  place.moveTo({ kind: 'partitions', topic: store.eventTopic, offsets })
  const behind = new Map(ends.map(({ partition, offset }) => [partition, offset]))
  const passed = ({ partition, offset }: PartitionPosition) => {
    offsets.set(partition, offset)
    if (offset >= (behind.get(partition) ?? 0)) behind.delete(partition)
    if (behind.size === 0) place.catchUp()
  }
  for (const start of starts) passed(start)
  const { unreadable } = options
  const follow = { signal, select: selection(options), ...(unreadable && { unreadable }) }
  for await (const { messages, position } of store.followPartitions(starts, follow)) {
    for (const message of messages) {
      if (!isRecordedEvent<E>(message)) continue
      offsets.set(message.partition, message.offset + 1)
      yield message
    }
    passed(position)
  }
}

function startOf(
  end: PartitionPosition,
  from: SubscribeOptions['from'],
  cursor: Cursor | undefined,
): PartitionPosition {
  if (from === 'end') return end
  const offset = cursor?.kind === 'partitions' ? (cursor.offsets.get(end.partition) ?? 0) : 0
  if (offset > end.offset) throw cursorAhead(`partition ${end.partition} of "${end.topic}"`)
  return { ...end, offset }
}

function selection({
  stream,
  category,
  types,
}: SubscribeOptions): (message: RecordedMessage | RecordedEvent) => boolean {
  const wanted = types === undefined ? undefined : new Set(types)
  return ({ key, type }) =>
    (stream === undefined || key === stream) &&
    (category === undefined || categoryOf(key) === category) &&
    (wanted === undefined || wanted.has(type))
}

/** @returns the cursor to resume from, if there is one. */
const NAMES: Names<SubscribeOptions> = {
  stream: true,
  category: true,
  types: true,
  from: true,
  signal: true,
  onCaughtUp: true,
  unreadable: true,
}

function checkOptions(store: Pick<EventStore, 'eventTopic' | 'appendToStream'>, options: SubscribeOptions) {
  checkStore(store)
  checkNames('options of subscribe', options, NAMES)
  return cursorOf(store, options)
}

function cursorOf({ eventTopic }: Pick<EventStore, 'eventTopic'>, options: SubscribeOptions): Cursor | undefined {
  const { stream, category, types, from } = options
  if (stream !== undefined) checkStream(stream)
  if (category !== undefined) checkCategory(category)
  if (types !== undefined && (!Array.isArray(types) || types.length === 0)) {
    throw invalidArgument(`types must be a list of at least one event type, got ${describe(types)}.`)
  }
  for (const type of types ?? []) checkName('types', type)
  if (from === undefined || from === 'beginning' || from === 'end') return undefined
  const cursor = parseCursor(from)
  if ((cursor.kind === 'stream') !== (stream !== undefined)) {
    throw invalidArgument('The cursor is of a subscription to one stream, this one is not (or the other way round).')
  }
  if (cursor.kind === 'partitions' && cursor.topic !== eventTopic) {
    throw invalidArgument(`The cursor is of the topic "${cursor.topic}", this log's events are in "${eventTopic}".`)
  }
  return cursor
}

function checkCategory(category: string): void {
  checkName('category', category)
  if (category.includes('-')) {
    throw invalidArgument(
      `A category ends before the first "-" of a stream's name: ${describe(category)} cannot be one.`,
    )
  }
}
