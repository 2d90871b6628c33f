import { openEventStore } from '../../../src/store/open-event-store.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../../support/kafka.ts'
import { qualityGatesSuite } from './quality-gates-suite.ts'

describeKafka('on a broker', () => {
  qualityGatesSuite('kafka', () => openEventStore(`kafka://${kafkaBrokers}/?prefix=${uniquePrefix('gates')}`))
})
