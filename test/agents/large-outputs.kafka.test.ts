import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { largeOutputsSuite } from './large-outputs-suite.ts'

describeKafka('on Kafka', () => {
  largeOutputsSuite('kafka', 5_000_000, () =>
    openKafkaStore({ brokers: kafkaBrokers.split(','), prefix: uniquePrefix('outputs') }, { leaseMs: 10_000 }),
  )
})
