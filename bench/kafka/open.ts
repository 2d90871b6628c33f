import { randomUUID } from 'node:crypto'
import type { EventStore } from '../../src/store/event-store.ts'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'

/** A store with a log of its own, unless a prefix says whose. */
export function openWith(
  brokers: readonly string[],
  partitions: number,
  prefix = `bench-${randomUUID()}.`,
): Promise<EventStore> {
  return openKafkaStore({ brokers, prefix }, { topics: { 'session.events': { partitions } } })
}
