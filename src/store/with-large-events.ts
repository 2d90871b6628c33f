import { DuologError, isDuologError } from '../core/errors.ts'
import { type AnyEvent, isRecordedEvent, type RecordedEvent, type RecordedMessage } from '../core/event.ts'
import { aggregate } from './aggregate.ts'
import type { BlobStore } from './blobs.ts'
import { checkInteger } from './check-arguments.ts'
import type {
  Aggregated,
  AggregateOptions,
  ConsumeOptions,
  EventStore,
  FollowPartitionsOptions,
  PartitionBatch,
  PartitionPosition,
} from './event-store.ts'
import type { InlineViews } from './inline-views.ts'
import { mayExceed } from './json-size.ts'
import { checkIn, checkOut, isCheckedIn } from './large-event.ts'

/** Which events' data goes to the blobs, and to which. */
export interface LargeEventsOptions {
  /** Data larger than this as JSON, in bytes. Default 65,536. */
  readonly limitBytes?: number
  /** Default: the log's own: beside the file, in a topic of the cluster, in memory. */
  readonly blobs?: BlobStore
}

const DEFAULT_LIMIT_BYTES = 65_536

/** A store that takes data of any size; who appends and reads notices nothing. Events are read whole, not lazily. */
export function withLargeEvents(store: EventStore, blobs: BlobStore, options: LargeEventsOptions = {}): EventStore {
  const { limitBytes = DEFAULT_LIMIT_BYTES } = options
  checkInteger('largeEvents.limitBytes', limitBytes, 1)
  const shrink = <T extends AnyEvent>(event: T) => checkIn(event, blobs, limitBytes)
  const mayBeLarge = (event: AnyEvent) => mayExceed(event?.data, limitBytes)
  const isAnyLarge = (events: unknown) => Array.isArray(events) && events.some(mayBeLarge)
  const whole: EventStore = {
    backing: store.backing,
    eventTopic: store.eventTopic,
    ...(store.logger && { logger: store.logger }),
    presence: store.presence,
    snapshots: store.snapshots,
    blobs,
    ...(store.inlineViews && { inlineViews: withSmallRows(store.inlineViews) }),
    readStream: (stream, given) => restored(store.readStream(stream, given), blobs),
    aggregateStream: (stream, given) => aggregateLarge(store, whole, stream, given),
    appendToStream: async (stream, events, given) => {
      const isSmall = !isAnyLarge(events) && !isAnyLarge(given?.outgoing)
      if (isSmall || !Array.isArray(events)) return store.appendToStream(stream, events, given)
      const small = await Promise.all(events.map(shrink))
      const outgoing = Array.isArray(given?.outgoing) ? await Promise.all(given.outgoing.map(shrink)) : undefined
      return store.appendToStream(stream, small, outgoing === undefined ? given : { ...given, outgoing })
    },
    listStreams: () => store.listStreams(),
    partitionEnds: (topic) => store.partitionEnds(topic),
    waitForVersion: (stream, version, given) => store.waitForVersion(stream, version, given),
    followPartitions: (from, given) => followRestored(store, blobs, from, given),
    consume: (given) => store.consume(withRestored(blobs, given)),
    ...(store.readRaw && {
      readRaw: (place: PartitionPosition) => store.readRaw?.(place) ?? Promise.resolve(undefined),
    }),
    close: () => store.close(),
  }
  return whole
}

type Message = RecordedMessage | RecordedEvent

function restore<T extends Message>(message: T, blobs: BlobStore): T | Promise<T> {
  return isCheckedIn(message) ? checkOut(message, blobs, placeOf(message)) : message
}

/** One step more per event, no generator: small events are most events. */
function restored<T extends Message>(events: AsyncIterable<T>, blobs: BlobStore): AsyncIterableIterator<T> {
  const inner = events[Symbol.asyncIterator]()
  const complete = async (value: T): Promise<IteratorResult<T>> => ({ value: await restore(value, blobs), done: false })
  return {
    next: () => inner.next().then((step) => (step.done || !isCheckedIn(step.value) ? step : complete(step.value))),
    return: async () => (await inner.return?.()) ?? { value: undefined, done: true },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}

class LargeEventMet extends Error {}

/** As fast as the backing folds, unless there is a large event: then again, with its data. */
async function aggregateLarge<State, E extends AnyEvent>(
  store: EventStore,
  whole: EventStore,
  stream: string,
  options: AggregateOptions<State, E>,
): Promise<Aggregated<State>> {
  const evolve: typeof options.evolve = (state, event) => {
    if (isCheckedIn(event)) throw new LargeEventMet()
    return options.evolve(state, event)
  }
  try {
    return await store.aggregateStream(stream, { ...options, evolve })
  } catch (error) {
    if (error instanceof LargeEventMet) return aggregate(whole, stream, options)
    throw error
  }
}

async function* followRestored(
  store: EventStore,
  blobs: BlobStore,
  from: readonly PartitionPosition[],
  options: FollowPartitionsOptions = {},
): AsyncGenerator<PartitionBatch> {
  for await (const { messages, position } of store.followPartitions(from, options)) {
    const whole: Message[] = []
    for (const message of messages) whole.push(...(await restoredOrTold(message, blobs, options.unreadable)))
    yield { messages: whole, position }
  }
}

async function restoredOrTold(
  message: Message,
  blobs: BlobStore,
  unreadable: FollowPartitionsOptions['unreadable'],
): Promise<readonly Message[]> {
  try {
    return [await restore(message, blobs)]
  } catch (error) {
    if (unreadable === undefined || !isForGood(error)) throw error
    unreadable(error, message)
    return []
  }
}

function withRestored(blobs: BlobStore, options: ConsumeOptions): ConsumeOptions {
  const { handler, unreadable } = options
  const ofLarge: typeof handler = async (message, context) => {
    let whole: Message
    try {
      whole = await restore(message, blobs)
    } catch (error) {
      if (unreadable === undefined || !isForGood(error)) throw error
      return unreadable(error, message, context)
    }
    return handler(whole, context)
  }
  return {
    ...options,
    handler: (message, context) => (isCheckedIn(message) ? ofLarge(message, context) : handler(message, context)),
  }
}

/** A transaction cannot wait for a blob. */
function withSmallRows(views: InlineViews): InlineViews {
  return {
    keep: (view) =>
      views.keep({
        ...view,
        rows: (messages, read) => {
          const large = messages.find(isCheckedIn)
          if (large !== undefined) throw tooLargeForRows(view.name, large)
          return view.rows(messages, read)
        },
      }),
  }
}

function tooLargeForRows(view: string, message: Message): DuologError {
  return new DuologError(
    'PROJECTION_FAILED',
    `Inline projection "${view}" cannot read ${placeOf(message)}: its data is too large for the log and lies beside it, and ` +
      'a transaction cannot wait for it. Raise largeEvents.limitBytes, or use startProjection with waitFor.',
  )
}

/** What asking again does not cure. */
function isForGood(error: unknown): boolean {
  return isDuologError(error, 'BLOB_MISSING') || isDuologError(error, 'BLOB_CORRUPT')
}

function placeOf(message: Message): string {
  return isRecordedEvent(message)
    ? `Event ${message.streamPosition} of stream "${message.stream}"`
    : `Message ${message.offset} of partition ${message.partition} of "${message.topic}"`
}
