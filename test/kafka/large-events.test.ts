import type { Logger } from '../../src/core/logger.ts'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { largeEventSuite } from '../store/large-event-suite.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} }

describeKafka('large data in a topic of the cluster', () => {
  const prefix = uniquePrefix('large')
  largeEventSuite('Kafka', () => ({
    open: () => openKafkaStore({ brokers: kafkaBrokers.split(','), prefix }, { logger: quiet }),
  }))
})
