import { afterAll, beforeAll, expect, it } from 'vitest'
import type { RecordedEvent } from '../../src/core/event.ts'
import type { Logger } from '../../src/core/logger.ts'
import { connectDriver } from '../../src/kafka/connect-driver.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openKafkaStore } from '../../src/store/kafka/kafka-store.ts'
import { subscribe } from '../../src/store/subscribe.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { ONE_PARTITION } from './appender.ts'
import { plainClient, sendPlain } from './log-check.ts'

const STREAM = 'session-1'

function envelope(sequence: string): Record<string, string> {
  return { ce_id: `forged-${sequence}`, ce_type: 'Forged', ce_sequence: sequence, ce_dataschema: 'duolog:Forged:1' }
}

const STRANGERS = [
  { reason: 'it has no key', key: null, value: '{}' },
  { reason: 'its key is empty', key: '', value: '{}', headers: envelope('1') },
  { reason: 'its key is not UTF-8', key: Buffer.from([0xc3, 0x28]), value: '{}', headers: envelope('1') },
  { reason: 'its value is not JSON', key: 'k'.repeat(4096), value: '{"half":', headers: envelope('1') },
  { reason: 'its value is null', key: STREAM, value: null, headers: envelope('2') },
  { reason: 'it has no header ce_id', key: STREAM, value: '{}' },
  { reason: 'its value is not JSON', key: STREAM, value: '{"half":', headers: envelope('2') },
  {
    reason: 'it claims to be event 7 of its stream, where event 2 is due',
    key: STREAM,
    value: '{}',
    headers: envelope('7'),
  },
  {
    reason: 'it claims to be event 1 of its stream, where event 2 is due',
    key: STREAM,
    value: '{}',
    headers: envelope('1'),
  },
  { reason: 'it has no header ce_sequence with a stream position', key: STREAM, value: '{}', headers: envelope('two') },
  {
    reason: 'its header ce_dataschema does not end in a version',
    key: STREAM,
    value: '{}',
    headers: { ...envelope('2'), ce_dataschema: 'duolog:Forged:latest' },
  },
]

async function readAll(store: EventStore): Promise<readonly RecordedEvent[]> {
  const events: RecordedEvent[] = []
  for await (const event of store.readStream(STREAM)) events.push(event)
  return events
}

describeKafka.each(['kafkajs', 'platformatic'] as const)(
  'records by strangers in the event topic, with %s',
  (driver) => {
    const prefix = uniquePrefix(`strangers-${driver}`)
    const brokers = kafkaBrokers.split(',')
    const reports: string[] = []
    const report = (fields: object) => void ('reason' in fields && reports.push(String(fields.reason)))
    const logger: Logger = { debug() {}, info() {}, warn: report, error: report }
    const open = () => openKafkaStore({ brokers, prefix, driver }, { logger, topics: ONE_PARTITION })
    let store: EventStore

    beforeAll(async () => {
      store = await open()
      await store.appendToStream(STREAM, [{ type: 'Mine', data: 1 }])
      const messages = STRANGERS.map(({ reason: _reason, ...message }) => ({ ...message, partition: 0 }))
      await sendPlain(plainClient(kafkaBrokers), `${prefix}session.events`, messages)
    })
    afterAll(() => store.close())

    it('P3 are skipped, each reported once with its reason, and the stream goes on as if they were not there', async () => {
      const appended = await store.appendToStream(STREAM, [{ type: 'Mine', data: 2 }], { expectedStreamVersion: 1 })
      expect(appended.currentStreamVersion).toBe(2)
      const events = await readAll(store)
      expect(events.map(({ streamPosition, data }) => [streamPosition, data])).toEqual([
        [1, 1],
        [2, 2],
      ])
      await readAll(store)
      expect(reports).toEqual(STRANGERS.map(({ reason }) => reason))
    })

    it('P3 are skipped by consumers too, whose group comes past them', async () => {
      const seen: unknown[] = []
      const both = Promise.withResolvers<void>()
      const consumer = store.consume({
        group: 'reader',
        topics: ['session.events'],
        handler: async ({ data }) => {
          if (seen.push(data) === 2) both.resolve()
        },
      })
      await both.promise
      await consumer.stop()
      expect(seen).toEqual([1, 2])
      const history = subscribe(store, {})
      for (const n of [1, 2]) expect((await history.next()).value).toMatchObject({ data: n })
      await history.return?.(undefined)
      // The replica has said it, for all who follow.
      expect(reports).toEqual(STRANGERS.map(({ reason }) => reason))
    })

    it('P3 are skipped by a process that comes later', async () => {
      const later = await open()
      expect(await later.appendToStream(STREAM, [{ type: 'Mine', data: 3 }])).toMatchObject({ currentStreamVersion: 3 })
      await later.close()
    })

    it('P4 compressed by the topic, its own events too, are read and followed', async () => {
      const own = uniquePrefix(`compressed-${driver}`)
      const topic = `${own}session.events`
      const writer = await openKafkaStore({ brokers, prefix: own, driver }, { logger, topics: ONE_PARTITION })
      const eyes = await connectDriver(driver, { brokers, clientId: 'admin', logger, connectTimeoutMs: 8000 })
      const seen: unknown[] = []
      const consumer = writer.consume({
        group: 'reader',
        topics: ['session.events'],
        handler: async ({ data }) => void seen.push(data),
      })
      for (const [n, codec] of ['gzip', 'snappy', 'lz4', 'zstd'].entries()) {
        await eyes.alterTopicConfig(topic, { 'retention.ms': '-1', 'compression.type': codec })
        await sendPlain(plainClient(kafkaBrokers), topic, [{ partition: 0, key: STREAM, value: 'x'.repeat(9999) }])
        await writer.appendToStream(STREAM, [{ type: 'Mine', data: n }], { expectedStreamVersion: n })
      }
      const later = await openKafkaStore({ brokers, prefix: own, driver }, { logger, topics: ONE_PARTITION })
      expect((await readAll(later)).map(({ data }) => data)).toEqual([0, 1, 2, 3])
      await expect.poll(() => seen, { timeout: 30_000 }).toEqual([0, 1, 2, 3])
      await consumer.stop()
      await Promise.all([eyes.close(), later.close(), writer.close()])
    })

    it('P3 in a partition their key does not belong to are skipped, and their stream is whole', async () => {
      const own = uniquePrefix('misplaced')
      const six = await openKafkaStore({ brokers, prefix: own, driver }, { logger })
      await six.appendToStream(STREAM, [{ type: 'Mine', data: 1 }])
      const [first] = await readAll(six)
      const partition = ((first?.partition ?? 0) + 1) % 6
      reports.length = 0
      const forged = { partition, key: STREAM, value: '{}', headers: envelope('2') }
      await sendPlain(plainClient(kafkaBrokers), `${own}session.events`, [
        forged,
        { ...forged, headers: envelope('1') },
      ])
      const streams: string[] = []
      for await (const { stream, currentStreamVersion } of six.listStreams())
        streams.push(`${stream} ${currentStreamVersion}`)
      expect(streams).toEqual([`${STREAM} 1`])
      expect(new Set(reports)).toEqual(new Set(['its key belongs to another partition']))
      await six.close()
    })
  },
)
