import type { AnyEvent } from '../core/event.ts'
import { checkOpenOptions } from './check-store-options.ts'
import type { EventStore } from './event-store.ts'
import type { OpenEventStoreOptions, StoreOptions } from './store-options.ts'
import { parseStoreUrl, type StoreUrl } from './store-url.ts'
import { withCatalogue } from './with-catalogue.ts'
import { withLargeEvents } from './with-large-events.ts'

/*
 * From a URL to a store: the only file that knows the backings. Each is loaded when its scheme is used.
 */

/**
 * Opens a log by its URL; the same program runs on all three.
 *
 * - `memory:` is a fresh log, `memory:NAME` one shared within the process by its name;
 * - `file:./run.db` is a file for several processes on one machine, made when missing;
 * - `kafka://host:9092` is a Kafka cluster; missing topics are made, unless `?topics=require`.
 *
 * Options win over the URL's parameters. Without a catalogue (`events`) any `{ type, data }` is accepted; with one, data
 * is validated before anything is written and brought up to date when it is read.
 *
 * @throws UNKNOWN_URL_SCHEME, INVALID_URL, INVALID_ARGUMENT; what the backing says about its file or broker.
 */
export async function openEventStore<E extends AnyEvent = AnyEvent>(
  url: string,
  options: OpenEventStoreOptions<E> = {},
): Promise<EventStore<E>> {
  checkOpenOptions(options as OpenEventStoreOptions<never>)
  const { events, largeEvents, ...rest } = options
  const backing = await openBacking(parseStoreUrl(url), rest)
  const blobs = largeEvents?.blobs ?? backing.blobs
  const store = blobs === undefined ? backing : withLargeEvents(backing, blobs, largeEvents)
  return events === undefined ? (store as EventStore as EventStore<E>) : withCatalogue(store, events)
}

async function openBacking(parsed: StoreUrl, options: StoreOptions): Promise<EventStore> {
  switch (parsed.scheme) {
    case 'memory': {
      const { openMemoryStore } = await import('./memory/memory-store.ts')
      return openMemoryStore({ ...parsed.parameters, ...options, ...(parsed.name && { name: parsed.name }) })
    }
    case 'file': {
      const { openSqliteStore } = await import('./sqlite/sqlite-store.ts')
      const { busyTimeoutMs, ...rest } = parsed.parameters
      return openSqliteStore({ path: parsed.path, ...(busyTimeoutMs && { busyTimeoutMs }) }, { ...rest, ...options })
    }
    case 'kafka': {
      const { openKafkaStore } = await import('./kafka/kafka-store.ts')
      const { eventTopic, leaseMs, replica, ...connection } = parsed.parameters
      const { brokers, username, password } = parsed
      return openKafkaStore(
        { brokers, ...connection, ...(username !== undefined && { username, password }) },
        {
          ...(eventTopic && { eventTopic }),
          ...(leaseMs && { leaseMs }),
          ...(replica && { replica: { directory: replica } }),
          ...options,
        },
      )
    }
  }
}
