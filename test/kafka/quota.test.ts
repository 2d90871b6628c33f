import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { silentLogger } from '../../src/core/logger.ts'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { brokerLibraries, javaAnswers } from '../support/broker-libraries.ts'
import { kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { ONE_PARTITION } from './appender.ts'

const APPENDS = 6
const DATA_BYTES = 50_000
const BYTES_PER_SECOND = 20_000
/** Kafka counts over eleven seconds: what goes beyond that many at the rate has to wait. */
const WINDOW_SECONDS = 11
const LEAST_WAIT_MS = ((APPENDS - 1) * DATA_BYTES - WINDOW_SECONDS * BYTES_PER_SECOND) / (BYTES_PER_SECOND / 1000)

/** With Kafka's own tool. */
async function limitProducer(clientId: string): Promise<void> {
  const tool = ['-Xmx256m', '-cp', join(await brokerLibraries(), '*'), 'kafka.admin.ConfigCommand']
  const who = ['--bootstrap-server', kafkaBrokers, '--alter', '--entity-type', 'clients', '--entity-name', clientId]
  const limit = ['--add-config', `producer_byte_rate=${BYTES_PER_SECOND}`]
  await promisify(execFile)('java', [...tool, ...who, ...limit])
}

const describeQuota = describe.skipIf(kafkaBrokers === '' || !(await javaAnswers()))

describeQuota.each(['kafkajs', 'platformatic'] as const)('a client with a quota, by %s', (driver) => {
  it('P4 its appends get slower; none fails, none is written twice', async () => {
    const clientId = `limited-${randomUUID()}`
    await limitProducer(clientId)
    const connection = { brokers: kafkaBrokers.split(','), prefix: uniquePrefix('quota'), clientId, driver }
    const store = await openKafkaStore(connection, { topics: ONE_PARTITION, logger: silentLogger })
    try {
      const begun = performance.now()
      for (let n = 1; n <= APPENDS; n++) {
        const events = [{ type: 'Counted', data: { n, padding: 'x'.repeat(DATA_BYTES) } }]
        expect((await store.appendToStream('s', events)).currentStreamVersion).toBe(n)
      }
      const took = performance.now() - begun
      const found: number[] = []
      for await (const event of store.readStream<{ type: 'Counted'; data: { n: number } }>('s'))
        found.push(event.data.n)
      expect(found).toEqual([1, 2, 3, 4, 5, 6])
      expect(took).toBeGreaterThan(LEAST_WAIT_MS) // however fast the machine: the quota was in force
    } finally {
      await store.close()
    }
  })
})
