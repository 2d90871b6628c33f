import { expect, it } from 'vitest'
import type { EventStore } from '../../src/store/event-store.ts'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { subscribe } from '../../src/store/subscribe.ts'
import { type NativeBroker, startNativeBroker } from '../support/broker-native.ts'
import { describeKafka, uniquePrefix } from '../support/kafka.ts'
import { ONE_PARTITION } from './appender.ts'
import { checkLog, numbered, startAppender } from './log-check.ts'

async function endOf(store: EventStore): Promise<string> {
  const [end] = await store.partitionEnds('session.events')
  return String(end?.offset)
}

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
      const live = subscribe(store)
      const followed = (async () => {
        const ids: string[] = []
        for await (const { eventId } of live) ids.push(eventId)
        return ids
      })()
      const keys = numbered('k', 300)
      const appender = startAppender({ brokers: address, prefix, streams: numbered('s', 3), keys, concurrency: 5 })
      await expect.poll(() => appender.acknowledged.length, { timeout: 60_000 }).toBeGreaterThan(30)
      await broker.stop({ keepData: true })
      broker = undefined
      broker = await startNativeBroker({ port, dir })
      expect(await appender.ended).toBe(0)
      await expect.poll(() => seen.size, { timeout: 60_000 }).toBe(keys.length)
      await expect.poll(() => live.cursor?.split('.').at(-1), { timeout: 60_000 }).toBe(await endOf(store))
      await store.close()
      const ids = await followed
      expect(ids).toHaveLength(keys.length) // S1: no gap, no repeat
      expect(new Set(ids)).toEqual(seen)
      await checkLog({ brokers: address, prefix, keys, acknowledged: appender.acknowledged })
    } finally {
      await broker?.stop()
    }
  })
})
