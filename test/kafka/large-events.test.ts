import type { Logger } from '../../src/core/logger.ts'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { largeEventSuite } from '../store/large-event-suite.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} }

describeKafka.each(['kafkajs', 'platformatic'] as const)('large data in a topic of the cluster, with %s', (driver) => {
  const prefix = uniquePrefix(`large-${driver}`)
  largeEventSuite(`Kafka, ${driver}`, () => ({
    open: () => openKafkaStore({ brokers: kafkaBrokers.split(','), prefix, driver }, { logger: quiet }),
  }))
})
