import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { workflowSuite } from './workflow-suite.ts'

describeKafka('on a broker', () => {
  workflowSuite({ name: 'kafka', newUrl: () => `kafka://${kafkaBrokers}/?prefix=${uniquePrefix('workflow')}` })
})
