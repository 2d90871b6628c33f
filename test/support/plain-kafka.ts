import { createRequire } from 'node:module'
import { Kafka, type KafkaConfig, logLevel } from 'kafkajs'

/*
 * The library alone, none of our code: other eyes, and strangers. But for one thing: after every answer it sets a timer
 * for a queue that is empty, at a negative time, of which Node 24 warns.
 */

interface Queue {
  readonly pending: readonly unknown[]
  scheduleCheckPendingRequests(): void
}

export const RequestQueue = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as {
  new (options: object): Queue
  readonly prototype: Queue
}
const schedule = RequestQueue.prototype.scheduleCheckPendingRequests
RequestQueue.prototype.scheduleCheckPendingRequests = function () {
  if (this.pending.length > 0) schedule.call(this)
}

/** `brokers`: `host:port,host:port`. */
export function plainKafka(brokers: string, more: Omit<Partial<KafkaConfig>, 'brokers'> = {}): Kafka {
  return new Kafka({ clientId: 'independent', logLevel: logLevel.NOTHING, ...more, brokers: brokers.split(',') })
}
