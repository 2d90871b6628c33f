import { expect, it } from 'vitest'
import { silentLogger } from '../../src/core/logger.ts'
import { openKafkaStore, openKafkaStoreOn } from '../../src/store/kafka/kafka-store.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { ONE_PARTITION, OUTGOING_TOPIC } from './appender.ts'
import { type Between, interposedDriver } from './interposed-driver.ts'
import { plainClient, readTopic, sendPlain } from './log-check.ts'

/* Something lies in the log, between what an append was judged by and where the broker put it, that its writer was not shown. */

const counted = (n: number) => [{ type: 'Counted', data: { n } }]

const FORGED = {
  key: 's',
  value: JSON.stringify({ n: 'forged' }),
  partition: 0,
  headers: { ce_id: 'forged', ce_type: 'Forged', ce_sequence: '2', ce_dataschema: 'duolog:Forged:1' },
}

describeKafka.each(['kafkajs', 'platformatic'] as const)('an owner nobody disturbs, with %s', (driver) => {
  it('W6 never takes its own markers for something it was not shown', async () => {
    const lost: unknown[] = []
    const debug = (fields: object, message: string) => {
      if (message.startsWith('Lost the partition')) lost.push(fields)
    }
    const connection = { brokers: kafkaBrokers.split(','), prefix: uniquePrefix('alone'), driver }
    const store = await openKafkaStore(connection, { topics: ONE_PARTITION, logger: { ...silentLogger, debug } })
    const large = { type: 'Large', data: 'x'.repeat(60_000) }
    for (let n = 0; n < 20; n++) await store.appendToStream('s', counted(n))
    await Promise.all(Array.from({ length: 60 }, (_, n) => store.appendToStream(`s-${n}`, [large])))
    await store.appendToStream('s', counted(20), { expectedStreamVersion: 20 })
    await store.close()
    expect(lost).toEqual([])
  })
})

describeKafka('an owner whose picture is not exact', () => {
  it('W6 P4 commits nothing: the append is judged again by what there is, its message sent once', async () => {
    const prefix = uniquePrefix('exact')
    const between: Between = {}
    const driver = await interposedDriver(between)
    const connection = { brokers: kafkaBrokers.split(','), prefix }
    const store = await openKafkaStoreOn(driver, connection, { topics: ONE_PARTITION, logger: silentLogger })
    const forgeOnce = () => {
      between.beforeTransaction = () => {
        delete between.beforeTransaction
        return sendPlain(plainClient(kafkaBrokers), `${prefix}session.events`, [FORGED])
      }
    }
    try {
      await store.appendToStream('s', counted(1))
      forgeOnce()
      const [free, bound] = await Promise.allSettled([
        store.appendToStream('s', counted(2), { outgoing: [{ topic: OUTGOING_TOPIC, key: 's', type: 'T', data: 2 }] }),
        store.appendToStream('s', counted(3), { expectedStreamVersion: 2 }),
      ])
      expect(free).toMatchObject({ status: 'fulfilled', value: { firstStreamPosition: 3, repeated: false } })
      expect(bound).toMatchObject({ status: 'rejected', reason: { code: 'EXPECTED_VERSION_CONFLICT', current: 3 } })
      const found: unknown[] = []
      for await (const { data } of store.readStream('s')) found.push(data)
      expect(found).toEqual([{ n: 1 }, { n: 'forged' }, { n: 2 }])
      const messages = await readTopic(kafkaBrokers, `${prefix}${OUTGOING_TOPIC}`)
      expect(messages.map(({ value }) => value)).toEqual(['2'])
    } finally {
      await store.close()
    }
  })
})
