import type { Catalogue } from '../core/catalogue.ts'
import {
  type AnyEvent,
  isRecordedEvent,
  type OutgoingMessage,
  type RecordedEvent,
  type RecordedMessage,
} from '../core/event.ts'
import { aggregate } from './aggregate.ts'
import { describe, invalidArgument } from './check-arguments.ts'
import type {
  AppendOptions,
  ConsumeOptions,
  EventStore,
  FollowPartitionsOptions,
  PartitionBatch,
  PartitionPosition,
  ReadStreamOptions,
} from './event-store.ts'
import type { InlineViews } from './inline-views.ts'

/**
 * A store that knows its events: data is validated before anything is written (P2), and read as the catalogue defines
 * it today, whatever version it was written with. Messages to other topics are validated when the catalogue has them.
 */
export function withCatalogue<E extends AnyEvent>(store: EventStore, catalogue: Catalogue<E>): EventStore<E> {
  const typed: EventStore<E> = {
    backing: store.backing,
    eventTopic: store.eventTopic,
    ...(store.logger && { logger: store.logger }),
    presence: store.presence,
    snapshots: store.snapshots,
    ...(store.blobs && { blobs: store.blobs }),
    ...(store.inlineViews && { inlineViews: withLoadedRows(store.inlineViews, catalogue) }),
    readStream: (stream, options) => readStream(store, catalogue, stream, options),
    aggregateStream: (stream, options) => aggregate(typed, stream, options),
    appendToStream: async (stream, events, options) => {
      if (!Array.isArray(events)) throw invalidArgument(`events must be a list, got ${describe(events)}.`)
      const stored = events.map((event, index) => toStored(catalogue, event, `events[${index}]`))
      return store.appendToStream(stream, stored, options && withStoredOutgoing(catalogue, options))
    },
    listStreams: () => store.listStreams(),
    partitionEnds: (topic) => store.partitionEnds(topic),
    waitForVersion: (stream, version, options) => store.waitForVersion(stream, version, options),
    followPartitions: (from, options) => followLoaded(store, catalogue, from, options),
    consume: (options) => store.consume(withLoadedMessages(catalogue, options)),
    ...(store.readRaw && {
      readRaw: (place: PartitionPosition) => store.readRaw?.(place) ?? Promise.resolve(undefined),
    }),
    close: () => store.close(),
  }
  return typed
}

/** What is no event at all is left to the store to refuse, in its own words. */
function toStored<T extends AnyEvent>(catalogue: Catalogue, event: T, where: string): T {
  return typeof event?.type === 'string' ? catalogue.toStored(event, where) : event
}

/** No generator: an event would cost three promises more. */
function readStream<E extends AnyEvent, T extends E>(
  store: EventStore,
  catalogue: Catalogue<E>,
  stream: string,
  options: ReadStreamOptions | undefined,
): AsyncIterableIterator<RecordedEvent<T>> {
  let begun: AsyncIterator<RecordedEvent> | undefined
  const load = (event: RecordedEvent) => catalogue.fromStored(event, placeOf(event)) as unknown as RecordedEvent<T>
  const end = async () => {
    await begun?.return?.()
    return { value: undefined, done: true } as const
  }
  return {
    next: async () => {
      begun ??= store.readStream(stream, options)[Symbol.asyncIterator]()
      const step = await begun.next()
      if (step.done) return { value: undefined, done: true }
      try {
        return { value: load(step.value), done: false }
      } catch (error) {
        await end()
        throw error
      }
    },
    return: end,
    [Symbol.asyncIterator]() {
      return this
    },
  }
}

function withStoredOutgoing(catalogue: Catalogue, options: AppendOptions): AppendOptions {
  if (!Array.isArray(options.outgoing)) return options
  const store = (message: OutgoingMessage, index: number) =>
    catalogue.definitions.has(message?.type) && !isDeadLetter(message)
      ? catalogue.toStored(message, `outgoing[${index}]`)
      : message
  return { ...options, outgoing: options.outgoing.map(store) }
}

/** A dead letter is what was read, fit or not: perhaps it was put aside because it is not. Also on its way back. */
function isDeadLetter({ headers }: OutgoingMessage): boolean {
  return headers?.['kafka_dlt-original-topic'] !== undefined || headers?.['redrive-of'] !== undefined
}

async function* followLoaded<E extends AnyEvent>(
  store: EventStore,
  catalogue: Catalogue<E>,
  from: readonly PartitionPosition[],
  options: FollowPartitionsOptions = {},
): AsyncGenerator<PartitionBatch<E>> {
  const load = loading(catalogue)
  const { unreadable } = options
  const tryToLoad = (message: RecordedMessage | RecordedEvent) => {
    try {
      return [load(message)]
    } catch (error) {
      if (unreadable === undefined) throw error
      unreadable(error, message)
      return []
    }
  }
  for await (const { messages, position } of store.followPartitions(from, options)) {
    yield { messages: messages.flatMap(tryToLoad), position }
  }
}

/** Messages of other topics that the catalogue does not know are somebody else's business. */
function loading<E extends AnyEvent>(catalogue: Catalogue<E>) {
  return (message: RecordedMessage | RecordedEvent): RecordedMessage<E> | RecordedEvent<E> => {
    const foreign = !isRecordedEvent(message) && !catalogue.definitions.has(message.type)
    const loaded: unknown = foreign ? message : catalogue.fromStored(message, placeOf(message))
    return loaded as RecordedMessage<E> | RecordedEvent<E>
  }
}

/** What the catalogue cannot read refuses the append, as what the view's function throws does. */
function withLoadedRows<E extends AnyEvent>(views: InlineViews, catalogue: Catalogue<E>): InlineViews<E> {
  const load = loading(catalogue)
  return { keep: (view) => views.keep({ ...view, rows: (messages, read) => view.rows(messages.map(load), read) }) }
}

function withLoadedMessages<E extends AnyEvent>(catalogue: Catalogue<E>, options: ConsumeOptions<E>): ConsumeOptions {
  const load = loading(catalogue)
  const { handler, unreadable } = options
  return {
    ...options,
    handler: async (message, context) => {
      let loaded: RecordedMessage<E> | RecordedEvent<E>
      try {
        loaded = load(message)
      } catch (error) {
        if (unreadable === undefined) throw error
        return unreadable(error, message, context)
      }
      return handler(loaded, context)
    },
  }
}

function placeOf(message: RecordedMessage | RecordedEvent): string {
  return isRecordedEvent(message)
    ? `Event ${message.streamPosition} of stream "${message.stream}"`
    : `Message ${message.offset} of partition ${message.partition} of "${message.topic}"`
}
