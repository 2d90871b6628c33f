import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Logger, silentLogger } from '../../src/core/logger.ts'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { type NativeBroker, startNativeBroker } from '../support/broker-native.ts'
import { describeNative } from '../support/kafka.ts'
import { ONE_PARTITION } from './appender.ts'
import { readTopic } from './log-check.ts'

/* A broker that forgets a transactional id nobody used for seconds, not for the seven days that are usual. */

const EXPIRING = {
  'transactional.id.expiration.ms': '2000',
  'transaction.remove.expired.transaction.cleanup.interval.ms': '500',
  'producer.id.expiration.ms': '2000',
  'producer.id.expiration.check.interval.ms': '500',
}

describeNative('a transactional id that the broker has forgotten', () => {
  let broker: NativeBroker
  beforeAll(async () => {
    broker = await startNativeBroker({ properties: EXPIRING })
  })
  afterAll(() => broker?.stop())

  /** With Kafka's own tool. */
  async function known(transactionalId: string): Promise<boolean> {
    const tool = ['-Xmx128m', '-XX:TieredStopAtLevel=1', '-cp', broker.classPath]
    const list = ['org.apache.kafka.tools.TransactionsCommand', '--bootstrap-server', broker.address, 'list']
    const { stdout } = await promisify(execFile)('java', [...tool, ...list])
    return stdout.includes(transactionalId)
  }

  it.each(['kafkajs', 'platformatic'] as const)(
    'W1 W4 its owner takes over anew, and loses nothing (%s)',
    async (driver) => {
      const prefix = `expired-${driver}.`
      const id = `duolog.writer.${prefix}session.events.0`
      const lost: string[] = []
      const debug = (fields: object) => void ('error' in fields && lost.push(String(fields.error)))
      const logger: Logger = { ...silentLogger, debug }
      const open = () =>
        openKafkaStore({ brokers: [broker.address], prefix, driver }, { topics: ONE_PARTITION, logger })
      const store = await open()
      await store.appendToStream('s', [{ type: 'Counted', data: 1 }], { idempotencyKey: 'one' })
      await expect.poll(() => known(id), { timeout: 90_000 }).toBe(false)

      const key = { idempotencyKey: 'two', expectedStreamVersion: 1 }
      expect(await store.appendToStream('s', [{ type: 'Counted', data: 2 }], key)).toMatchObject({
        currentStreamVersion: 2,
        repeated: false,
      })
      const other = await open()
      const again = await other.appendToStream('s', [{ type: 'Counted', data: 1 }], { idempotencyKey: 'one' })
      expect(again).toMatchObject({ firstStreamPosition: 1, repeated: true })
      expect(await other.appendToStream('s', [{ type: 'Counted', data: 3 }])).toMatchObject({ currentStreamVersion: 3 })
      const found = await readTopic(broker.address, `${prefix}session.events`)
      expect(found.map(({ value, headers }) => [value, headers['sequence-number']])).toEqual([
        ['1', '1'],
        ['2', '2'],
        ['3', '3'],
      ])
      await Promise.all([store.close(), other.close()])
    },
  )
})
