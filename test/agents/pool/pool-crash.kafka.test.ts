import { kafkaLog } from '../../chaos/kafka-log.ts'
import { describeKafka, kafkaBrokers } from '../../support/kafka.ts'
import { poolCrashSuite } from './pool-crash-suite.ts'

describeKafka('on Kafka', () => poolCrashSuite(kafkaLog(kafkaBrokers)))
