import { afterAll, describe, it } from 'vitest'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { storeContract } from '../../src/testing/store-contract.ts'
import { kafkaBrokers, uniquePrefix } from '../support/kafka.ts'

if (kafkaBrokers === '') {
  describe.skip('EventStore contract: kafka (no broker)', () => {})
} else {
  const brokers = kafkaBrokers.split(',')
  for (const driver of ['kafkajs', 'platformatic'] as const) {
    const prefix = uniquePrefix(`contract-${driver}`)
    storeContract({
      name: `kafka, ${driver}`,
      runner: { describe, it, afterAll },
      createLog: async () => ({ open: (options) => openKafkaStore({ brokers, prefix, driver }, options) }),
    })
  }
}
