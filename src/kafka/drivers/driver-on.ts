import type { Logger } from '../../core/logger.ts'
import type { KafkaDriver, PartitionReader } from '../driver.ts'
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
  return {
    describeTopics: (topics) => admin.describe(topics),
    createTopics: (topics) => admin.create(topics),
    alterTopicConfig: (topic, config) => admin.alterConfig(topic, config),
    addPartitions: (topic, count) => admin.addPartitions(topic, count),
    offsetOf: (place, end) => admin.offsetOf(place, end),
    produce: (records) => admin.produce(records),
    openReader,
    openWriter: (writer) => new KafkajsWriter(newCluster(), writer),
    openMember: (member) =>
      new KafkajsMember(newCluster(), member, { partitionsOf: (topic) => admin.partitionsOf(topic), logger }),
    close: () => cluster.disconnect(),
  }
}
