import { expect, it } from 'vitest'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'

const APPENDS = 3000
const STREAMS = 100

describeKafka('more callers than one transaction holds', () => {
  for (const driver of ['kafkajs', 'platformatic'] as const) {
    it(`P3 P4 each is answered with its own version, in the order of a stream, before close resolves (${driver})`, async () => {
      const connection = { brokers: kafkaBrokers.split(','), prefix: uniquePrefix('many'), driver }
      const store = await openKafkaStore(connection, { topics: { 'session.events': { partitions: 1 } } })
      const answered: number[][] = Array.from({ length: STREAMS }, () => [])
      const filler = 'x'.repeat(4000) // so that one transaction takes several requests
      const all = Array.from({ length: APPENDS }, async (_, n) => {
        const stream = n % STREAMS
        const { currentStreamVersion } = await store.appendToStream(`s-${stream}`, [
          { type: 'Counted', data: { n, filler } },
        ])
        answered[stream]?.push(currentStreamVersion)
      })
      await store.close()
      const perStream = APPENDS / STREAMS
      const inOrder = Array.from({ length: perStream }, (_, index) => index + 1)
      expect(answered).toEqual(Array.from({ length: STREAMS }, () => inOrder))
      await Promise.all(all)
    })
  }
})
