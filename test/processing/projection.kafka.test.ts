import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { projectionSuite } from './projection-suite.ts'

describeKafka('on a broker', () => {
  projectionSuite({ name: 'kafka', newUrl: () => `kafka://${kafkaBrokers}/?prefix=${uniquePrefix('view')}` })
})
