import { describeKafka, kafkaBrokers, uniquePrefix } from '../../support/kafka.ts'
import { cqrsSuite } from './cqrs-suite.ts'

describeKafka('on a broker', () => {
  cqrsSuite({ name: 'kafka', newUrl: () => `kafka://${kafkaBrokers}/?prefix=${uniquePrefix('cqrs')}` })
})
