import { randomUUID } from 'node:crypto'
import { silentLogger } from '../../src/core/logger.ts'
import type { KafkaDriverName } from '../../src/kafka/connect-driver.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'

/** A store with a log of its own, unless a prefix says whose. */
export function openWith(
  brokers: readonly string[],
  partitions: number,
  { prefix = `bench-${randomUUID()}.`, driver }: { prefix?: string; driver?: KafkaDriverName } = {},
): Promise<EventStore> {
  const topics = { 'session.events': { partitions } }
  // It would say which topics it makes, each time.
  return openKafkaStore({ brokers, prefix, driver }, { topics, logger: silentLogger })
}
