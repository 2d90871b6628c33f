import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, it } from 'vitest'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { storeContract } from '../../src/testing/store-contract.ts'
import { invariantsOnly } from '../support/contract-invariants.ts'
import { kafkaBrokers, uniquePrefix } from '../support/kafka.ts'

if (kafkaBrokers === '') {
  describe.skip('EventStore contract: kafka with a replica in a file (no broker)', () => {})
} else {
  const brokers = kafkaBrokers.split(',')
  for (const driver of ['kafkajs', 'platformatic'] as const) {
    const prefix = uniquePrefix(`replica-contract-${driver}`)
    storeContract({
      name: `kafka with a replica in a file, ${driver}`,
      runner: driver === 'kafkajs' ? { describe, it, afterAll } : invariantsOnly,
      createLog: async () => {
        const directory = await mkdtemp(join(tmpdir(), 'duolog-replica-'))
        return {
          open: (options) => openKafkaStore({ brokers, prefix, driver }, { ...options, replica: { directory } }),
          remove: () => rm(directory, { recursive: true, force: true }),
        }
      },
    })
  }
}
