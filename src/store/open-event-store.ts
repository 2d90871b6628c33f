import type { AnyEvent } from '../core/event.ts'
import type { EventStore } from './event-store.ts'
import type { StoreOptions } from './store-options.ts'
import { parseStoreUrl } from './store-url.ts'

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
 * Options win over the URL's parameters.
 *
 * @throws UNKNOWN_URL_SCHEME, INVALID_URL; what the backing says about its file or broker.
 */
export async function openEventStore(url: string, options: StoreOptions = {}): Promise<EventStore<AnyEvent>> {
  const parsed = parseStoreUrl(url)
  switch (parsed.scheme) {
    case 'memory': {
      const { openMemoryStore } = await import('./memory/memory-store.ts')
      return openMemoryStore({ ...parsed.parameters, ...options, ...(parsed.name && { name: parsed.name }) })
    }
    case 'file': {
      const { openSqliteStore } = await import('./sqlite/sqlite-store.ts')
      return openSqliteStore({ path: parsed.path }, { ...parsed.parameters, ...options })
    }
    case 'kafka': {
      const { openKafkaStore } = await import('./kafka/kafka-store.ts')
      const { eventTopic, leaseMs, ...connection } = parsed.parameters
      const { brokers, username, password } = parsed
      return openKafkaStore(
        { brokers, ...connection, ...(username !== undefined && { username, password }) },
        { ...(eventTopic && { eventTopic }), ...(leaseMs && { leaseMs }), ...options },
      )
    }
  }
}
