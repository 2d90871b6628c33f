import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { processPoisonSuite } from './process-poison-suite.ts'
import { processSuite } from './process-suite.ts'

describeKafka('on a broker', () => {
  const newUrl = () => `kafka://${kafkaBrokers}/?prefix=${uniquePrefix('process')}`
  processSuite({ name: 'kafka', newUrl })
  processPoisonSuite({ name: 'kafka', newUrl }, ['nextActions'])
})
