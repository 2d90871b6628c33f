import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { runnerSuite } from './runner-suite.ts'

describeKafka('on a broker', () => {
  runnerSuite({ name: 'kafka', newUrl: () => `kafka://${kafkaBrokers}/?prefix=${uniquePrefix('runner')}` })
})
