import { expect, it } from 'vitest'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { type NativeBroker, startNativeBroker } from '../support/broker-native.ts'
import { describeKafka, uniquePrefix } from '../support/kafka.ts'
import { ONE_PARTITION } from './appender.ts'
import { checkLog, numbered, startAppender } from './log-check.ts'

/** A broker of its own, so that it may die: only where one can be started without Docker. */
const describeNative = process.env.KAFKA_BROKERS ? describeKafka.skip : describeKafka

describeNative('a broker that is killed and comes back on its data', () => {
  it('P3 P4 P5 appends wait for it; readers and consumers go on', async ({ skip }) => {
    let broker: NativeBroker | undefined = await startNativeBroker().catch(() => undefined)
    if (broker === undefined) return skip('no Java and Maven here')
    const { address, dir, port } = broker
    try {
      const prefix = uniquePrefix('restart')
      const store = await openKafkaStore({ brokers: [address], prefix }, { topics: ONE_PARTITION })
      const seen = new Set<string>()
      const consumer = store.consume({
        group: 'follower',
        topics: ['session.events'],
        handler: async ({ eventId }) => void seen.add(eventId),
      })
      await consumer.ready
      const keys = numbered('k', 300)
      const appender = startAppender({ brokers: address, prefix, streams: numbered('s', 3), keys, concurrency: 5 })
      await expect.poll(() => appender.acknowledged.length, { timeout: 60_000 }).toBeGreaterThan(30)
      await broker.stop({ keepData: true })
      broker = undefined
      broker = await startNativeBroker({ port, dir })
      expect(await appender.ended).toBe(0)
      await expect.poll(() => seen.size, { timeout: 60_000 }).toBe(keys.length)
      await store.close()
      await checkLog({ brokers: address, prefix, keys, acknowledged: appender.acknowledged })
    } finally {
      await broker?.stop()
    }
  })
})
