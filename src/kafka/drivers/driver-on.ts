import type { Logger } from '../../core/logger.ts'
import { type KafkaDriver, KafkaError, type PartitionReader } from '../driver.ts'
import { KafkajsAdmin } from './kafkajs-admin.ts'
import type { RequestCluster } from './kafkajs-internals.ts'
import { KafkajsMember } from './kafkajs-member.ts'
import { KafkajsWriter } from './kafkajs-writer.ts'

export interface DriverParts {
  /** Connected; what is asked beside reading, writing and membership goes over it. */
  readonly cluster: RequestCluster
  readonly newCluster: () => RequestCluster
  readonly openReader: () => PartitionReader
  readonly logger: Logger
}

/** The driver port on whatever library sends the requests: transactions and membership are the same code for all. */
export function driverOn({ cluster, newCluster, openReader, logger }: DriverParts): KafkaDriver {
  const admin = new KafkajsAdmin(cluster)
  const open = untilClosed(() => cluster.disconnect())
  return {
    describeTopics: (topics) => open.ask(() => admin.describe(topics)),
    createTopics: (topics) => open.ask(() => admin.create(topics)),
    alterTopicConfig: (topic, config) => open.ask(() => admin.alterConfig(topic, config)),
    addPartitions: (topic, count) => open.ask(() => admin.addPartitions(topic, count)),
    offsetOf: (place, end) => open.ask(() => admin.offsetOf(place, end)),
    produce: (records) => open.ask(() => admin.produce(records)),
    openReader: () => closing(openReader()),
    openWriter: (writer) => new KafkajsWriter(newCluster(), writer),
    openMember: (member) =>
      new KafkajsMember(newCluster(), member, { partitionsOf: (topic) => admin.partitionsOf(topic), logger }),
    close: open.close,
  }
}

/**
 * Whoever asks connects where need be. So what is closed is asked nothing more, and what was on its way is closed once more:
 * a connection left behind keeps the process alive.
 */
function untilClosed(disconnect: () => Promise<void>) {
  let closed = false
  return {
    async ask<T>(work: () => Promise<T>): Promise<T> {
      if (closed) throw new KafkaError('REFUSED', 'Its connections were closed')
      try {
        return await work()
      } finally {
        if (closed) await disconnect()
      }
    },
    close(): Promise<void> {
      closed = true
      return disconnect()
    },
  }
}

function closing(reader: PartitionReader): PartitionReader {
  const { ask, close } = untilClosed(() => reader.close())
  const watch = reader.watch?.bind(reader)
  return {
    fetch: (positions, options) => ask(() => reader.fetch(positions, options)),
    ...(watch !== undefined && { watch: (position, options) => ask(() => watch(position, options)) }),
    close,
  }
}
