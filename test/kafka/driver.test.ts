import { describe } from 'vitest'
import { kafkaBrokers } from '../support/kafka.ts'
import { driverSuite } from './driver-suite.ts'

if (kafkaBrokers === '') {
  describe.skip('Kafka drivers (no broker)', () => {})
} else {
  driverSuite({ driver: 'kafkajs', brokers: kafkaBrokers })
  driverSuite({ driver: 'platformatic', brokers: kafkaBrokers })
}
