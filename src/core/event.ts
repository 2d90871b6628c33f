/** What happened, as its author writes it: a name and its data. Everything else is envelope. */
export interface AnyEvent {
  /** What happened, in the past tense: at most 256 characters. */
  readonly type: string
  /** JSON; what the catalogue defines, where there is one. */
  readonly data: unknown
}

/** `Event<'OrderPlaced', { orderId: string }>` */
export interface Event<Type extends string = string, Data = unknown> {
  /** What happened, in the past tense: at most 256 characters. */
  readonly type: Type
  /** JSON; what the catalogue defines, where there is one. */
  readonly data: Data
}

/** The optional part of the envelope a writer may set. What is absent, the store fills in. */
export interface EnvelopeOptions {
  /** Any text of up to 256 characters; default: a new UUID v7. The same id appended to the same stream twice is one fact. */
  readonly eventId?: string
  /** Version of the data's schema, from 1. Default: the catalogue's newest, or 1. */
  readonly version?: number
  /** ISO 8601 with milliseconds, UTC. Default: the store's clock at the append. */
  readonly timestamp?: string
  /** What all events of one piece of work share. Default: the stream's name (for a message: its key). */
  readonly correlationId?: string
  /** The id of the event or command that led to this one. */
  readonly causationId?: string
  /** Extra headers, text only. Names that start with `ce_` and duolog's own names are refused. */
  readonly headers?: Readonly<Record<string, string>>
}

/** An event on its way into a stream. */
export type NewEvent<E extends AnyEvent = AnyEvent> = E & EnvelopeOptions

/** A record as it lies in a topic, in bytes. */
export interface RawRecord {
  /** Nothing: the record has no key. */
  readonly key: Uint8Array | null
  /** Nothing: the record is a tombstone. */
  readonly value: Uint8Array | null
  /** In their order; a name may repeat. */
  readonly headers: readonly (readonly [name: string, value: Uint8Array])[]
}

/** A message on its way to another topic, appended together with events: a task, a notification. */
export interface OutgoingMessage extends AnyEvent, EnvelopeOptions {
  /** Where it goes; not the event topic. */
  readonly topic: string
  /** Decides the partition; messages of one key stay in order. */
  readonly key: string
  /**
   * Written as it is where records are bytes (Kafka), with `headers` beside it and nothing else of this message; into
   * `partition` if that is given. Of a header that repeats the last one is written. Other backings write the message.
   */
  readonly raw?: RawRecord & { readonly partition?: number }
}

/** A record of any topic, as its reader sees it. */
export type RecordedMessage<E extends AnyEvent = AnyEvent> = E & {
  /** The same wherever and however often it is read. */
  readonly eventId: string
  /** Of the data's schema, as it was read (and brought up to date). */
  readonly version: number
  /** When it happened: ISO 8601 with milliseconds, UTC. */
  readonly timestamp: string
  /** What all events of one piece of work share. */
  readonly correlationId: string
  /** The id of the event or command that led to this one. */
  readonly causationId?: string
  /** Extra headers, text only. */
  readonly headers: Readonly<Record<string, string>>
  /** Where it lies. */
  readonly topic: string
  /** From 0. */
  readonly partition: number
  /** Position in the partition, from 0, growing; not always gap-free. */
  readonly offset: number
  /** Decides the partition; of an event its stream. */
  readonly key: string
}

/** A fact: an event in its stream. Frozen by convention; never change one that a store handed out. */
export type RecordedEvent<E extends AnyEvent = AnyEvent> = RecordedMessage<E> & {
  /** The stream it belongs to. */
  readonly stream: string
  /** 1, 2, 3 … within the stream (P3). */
  readonly streamPosition: number
  /**
   * The log's own order: a total order in memory and in a file; on Kafka the offset, comparable within one partition only.
   */
  readonly globalPosition: number
}

/** True when a consumed message is an event of a stream, not a message to a topic. */
export function isRecordedEvent<E extends AnyEvent>(
  message: RecordedMessage<E> | RecordedEvent<E>,
): message is RecordedEvent<E> {
  return 'streamPosition' in message
}
