import { describe } from 'vitest'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { compatSuite } from './coordinator-suite.ts'
import { killedSuite } from './killed-suite.ts'

if (kafkaBrokers === '') describe.skip('the drop-in on Kafka (no broker)', () => {})
else {
  const url = () => `kafka://${kafkaBrokers}?prefix=${uniquePrefix('compat')}&leaseMs=2000`
  compatSuite('kafka', () => openEventStore(url()))
  killedSuite('kafka', url)
}
