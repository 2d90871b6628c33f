import { describe } from 'vitest'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { stylesSuite } from './styles-suite.ts'

if (kafkaBrokers === '') describe.skip('both styles on Kafka (no broker)', () => {})
else stylesSuite('kafka', () => openKafkaStore({ brokers: kafkaBrokers.split(','), prefix: uniquePrefix('styles') }))
