import { expect, it, onTestFinished, vi } from 'vitest'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { ONE_PARTITION } from './appender.ts'

const event = { type: 'Added', data: 1 }

/* A broker takes no time that is more than an hour ahead of its own (message.timestamp.after.max.ms). */
describeKafka('a process whose clock is two hours ahead', () => {
  it.each(['kafkajs', 'platformatic'] as const)(
    'is told so by its append, which is not written; put right, it goes on, with %s',
    async (driver) => {
      const connection = { brokers: kafkaBrokers.split(','), prefix: uniquePrefix(`clock-${driver}`), driver }
      const store = await openKafkaStore(connection, { topics: ONE_PARTITION })
      onTestFinished(() => store.close())
      const rightMs = Date.now()
      vi.useFakeTimers({ toFake: ['Date'], now: rightMs + 7_200_000 })
      onTestFinished(() => void vi.useRealTimers())
      await expect(store.appendToStream('s', [event])).rejects.toMatchObject({
        code: 'BROKER_REFUSED',
        message: expect.stringMatching(/timestamp.*Nothing was written/is),
      })
      vi.setSystemTime(rightMs)
      expect(await store.appendToStream('s', [event])).toMatchObject({ currentStreamVersion: 1 })
    },
  )
})
