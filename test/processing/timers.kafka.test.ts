import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { timersSuite } from './timers-suite.ts'

describeKafka('on a broker', () => {
  timersSuite({ name: 'kafka', newUrl: () => `kafka://${kafkaBrokers}/?prefix=${uniquePrefix('timers')}` })
})
