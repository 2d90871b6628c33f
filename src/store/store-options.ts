import type { Catalogue } from '../core/catalogue.ts'
import type { Clock } from '../core/clock.ts'
import type { AnyEvent } from '../core/event.ts'
import type { RandomBytes } from '../core/ids.ts'
import type { Logger } from '../core/logger.ts'
import type { TopicDefinition } from './topics.ts'
import type { LargeEventsOptions } from './with-large-events.ts'

/** What every backing takes. */
export interface StoreOptions {
  /** The topic that holds the events. Default `session.events`. */
  readonly eventTopic?: string
  /** Definitions beside (or instead of) the default ones, by topic name. */
  readonly topics?: Readonly<Record<string, TopicDefinition>>
  /** How long an owner may be silent before it counts as dead, milliseconds. Default 10,000 (file), 5,000 (kafka). */
  readonly leaseMs?: number
  /** How long an append may wait to be begun unless it says otherwise, milliseconds. Default 60,000. */
  readonly appendTimeoutMs?: number
  /** How many appends wait in the queue of one partition; more stand in line for room, in their callers' memory. Default 10,000. Kafka only. */
  readonly maxQueuedAppends?: number
  /** How many bytes they may have together, about. Default 64 MiB. Kafka only. */
  readonly maxQueuedBytes?: number
  /**
   * A folder on a local disk for what this process knows of the log, so that a restart reads only what is new and memory
   * does not grow with the log. A cache: it may be deleted at any time. Default: in memory. Kafka only.
   */
  readonly replica?: { readonly directory: string }
  /** What time stamps go by. Default: the system's. */
  readonly clock?: Clock
  /** What ids are made of. Default: the system's. */
  readonly random?: RandomBytes
  /** Default: warnings and errors to stderr, with their error; `silentLogger` says nothing. */
  readonly logger?: Logger
}

/** Options of `openEventStore`. */
export interface OpenEventStoreOptions<E extends AnyEvent = AnyEvent> extends StoreOptions {
  /** Which events there are: types the store, validates what is appended, upcasts what is read. */
  readonly events?: Catalogue<E>
  /** What is too large for the log goes to the log's blobs, unseen by who appends and reads. Default: above 64 KiB. */
  readonly largeEvents?: LargeEventsOptions
}
