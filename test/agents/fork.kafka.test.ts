import { describe } from 'vitest'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { forkSuite } from './fork-suite.ts'

if (kafkaBrokers === '') describe.skip('a fork on Kafka (no broker)', () => {})
else forkSuite('kafka', () => openKafkaStore({ brokers: kafkaBrokers.split(','), prefix: uniquePrefix('fork') }))
