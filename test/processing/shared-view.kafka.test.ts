import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { sharedViewSuite } from './shared-view-suite.ts'

describeKafka('on a broker', () => {
  sharedViewSuite({
    name: 'kafka',
    newUrl: () => `kafka://${kafkaBrokers}/?leaseMs=1000&prefix=${uniquePrefix('shared')}`,
  })
})
