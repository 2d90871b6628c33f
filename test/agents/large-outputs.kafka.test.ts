import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { largeOutputsSuite } from './large-outputs-suite.ts'

const FIFTY_MB = 50 * 1024 * 1024
/** The rest goes through the same topic: one of them is enough to show the size, unless there is time. */
const OTHERS = process.env.DUOLOG_LONG === '1' ? FIFTY_MB : 5_000_000

describeKafka('on Kafka', () => {
  largeOutputsSuite('kafka', { 'json-lines': FIFTY_MB, text: OTHERS, through: OTHERS }, () =>
    openKafkaStore({ brokers: kafkaBrokers.split(','), prefix: uniquePrefix('outputs') }, { leaseMs: 10_000 }),
  )
})
