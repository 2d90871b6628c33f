import { describe } from 'vitest'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { coordinatorSuite } from './coordinator-suite.ts'

if (kafkaBrokers === '') describe.skip('the coordinator on Kafka (no broker)', () => {})
else {
  coordinatorSuite('kafka', () =>
    openKafkaStore({ brokers: kafkaBrokers.split(','), prefix: uniquePrefix('coordinator') }, { leaseMs: 2_000 }),
  )
}
