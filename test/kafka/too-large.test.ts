import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { silentLogger } from '../../src/core/logger.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { plainClient, readTopic } from './log-check.ts'

/* What the cluster does not take, or has lost, is one append's or one event's fault and nobody else's. */

const CALLERS = 20
const TOO_LARGE = 7

describeKafka.each(['kafkajs', 'platformatic'] as const)('with %s', (driver) => {
  const prefix = uniquePrefix(`too-large-${driver}`)
  const topics = { 'session.events': { partitions: 1 } }
  const open = () =>
    openKafkaStore({ brokers: kafkaBrokers.split(','), prefix, driver }, { logger: silentLogger, topics })
  const admin = plainClient(kafkaBrokers).admin()
  let store: EventStore

  beforeAll(async () => {
    await admin.connect()
    store = await open()
  })
  afterAll(async () => {
    await store.close()
    await admin.disconnect()
  })

  describe('a topic that takes no large records', () => {
    it('P2 P4 the append that is too large is refused, its neighbours of the same transaction are in the log once', async () => {
      await store.appendToStream('warm', [{ type: 'Counted', data: {} }])
      const configEntries = [{ name: 'max.message.bytes', value: '2000' }]
      const name = `${prefix}session.events`
      await admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name, configEntries }] })
      const append = (n: number) => {
        const padding = 'x'.repeat(n === TOO_LARGE ? 5_000 : 50)
        return store.appendToStream(`s-${n}`, [{ type: 'Counted', data: { n, padding } }])
      }
      const answers = await Promise.allSettled(Array.from({ length: CALLERS }, (_, n) => append(n)))
      const refused = answers.flatMap((answer, n) =>
        answer.status === 'rejected' ? [[n, answer.reason] as const] : [],
      )
      expect(refused).toMatchObject([[TOO_LARGE, { code: 'BROKER_REFUSED' }]])
      const written = (await readTopic(kafkaBrokers, name)).map(({ key }) => key).filter((key) => key !== 'warm')
      const others = Array.from({ length: CALLERS }, (_, n) => `s-${n}`).filter((_, n) => n !== TOO_LARGE)
      expect(written.sort()).toEqual(others.sort())
    })
  })

  describe('a blob that is gone from its topic', () => {
    it('is an error of that event only, which names what is missing', async () => {
      const url = `kafka://${kafkaBrokers}/?prefix=${prefix}blobs.&driver=${driver}`
      const writer = await openEventStore(url, { logger: silentLogger })
      const text = 'x'.repeat(100_000)
      await writer.appendToStream('large', [{ type: 'Said', data: { text } }])
      await writer.appendToStream('small', [{ type: 'Said', data: { text: 'short' } }])
      await writer.close()
      const topic = `${prefix}blobs.duolog.blobs`
      const ends = await admin.fetchTopicOffsets(topic)
      await admin.deleteTopicRecords({
        topic,
        partitions: ends.map(({ partition, high }) => ({ partition, offset: high })),
      })
      const reader = await openEventStore(url, { logger: silentLogger })
      const read = async (stream: string) => {
        const texts: unknown[] = []
        for await (const { data } of reader.readStream(stream)) texts.push((data as { text: string }).text)
        return texts
      }
      await expect(read('large')).rejects.toMatchObject({ code: 'BLOB_MISSING' })
      expect(await read('small')).toEqual(['short'])
      await reader.close()
    })
  })
})
