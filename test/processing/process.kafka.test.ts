import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { processSuite } from './process-suite.ts'

describeKafka('on a broker', () => {
  processSuite({ name: 'kafka', newUrl: () => `kafka://${kafkaBrokers}/?prefix=${uniquePrefix('process')}` })
})
