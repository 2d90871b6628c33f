import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { processorSuite } from './processor-suite.ts'

describeKafka('on a broker', () => {
  processorSuite({ name: 'kafka', newUrl: () => `kafka://${kafkaBrokers}/?prefix=${uniquePrefix('dlq')}` })
})
