import { expect, it } from 'vitest'
import { silentLogger } from '../../src/core/logger.ts'
import type { FetchedPartition } from '../../src/kafka/driver.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openKafkaStoreOn } from '../../src/store/kafka/kafka-store.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { ONE_PARTITION } from './appender.ts'
import { type Between, interposedDriver } from './interposed-driver.ts'

/*
 * The markers of one transaction reach its partitions one by one, so a message can be readable before the events it was
 * appended with. Here the events' marker is late for one process: its readers see nothing of the event topic yet.
 */

const DRIVERS = ['kafkajs', 'platformatic'] as const
const FETCHES_HELD_BACK = 4

/** Of the event topic nothing, for so many fetches. */
function lateMarkers(eventTopic: string) {
  let fetches = 0
  return (fetched: FetchedPartition): FetchedPartition => {
    if (fetched.topic !== eventTopic || fetches++ >= FETCHES_HELD_BACK) return fetched
    const { fromOffset } = fetched
    return { ...fetched, records: [], nextOffset: fromOffset, stableOffset: fromOffset }
  }
}

async function versions(store: EventStore, stream: string): Promise<readonly number[]> {
  const seen: number[] = []
  for await (const { streamPosition } of store.readStream(stream)) seen.push(streamPosition)
  return seen
}

describeKafka.each(DRIVERS)('a message that is there before its events, with %s', (name) => {
  it('P2 who received it and reads the stream finds what it was appended with', async () => {
    const prefix = uniquePrefix('before')
    const connection = { brokers: kafkaBrokers.split(','), prefix }
    const options = { topics: ONE_PARTITION, logger: silentLogger }
    const between: Between = {}
    const writer = await openKafkaStoreOn(await interposedDriver({}, name), connection, options)
    const reader = await openKafkaStoreOn(await interposedDriver(between, name), connection, options)
    try {
      const streams = ['s', 'a stream with a name of its own']
      for (const stream of streams) await writer.appendToStream(stream, [{ type: 'Said', data: 1 }])
      expect(await versions(reader, streams[0] as string)).toEqual([1])
      const seen: unknown[] = []
      const done = Promise.withResolvers<void>()
      const consumer = reader.consume({
        group: 'readers',
        topics: ['tasks'],
        handler: async ({ data }) => {
          between.afterFetch = lateMarkers(`${prefix}session.events`)
          seen.push(await versions(reader, data as string))
          if (seen.length === streams.length) done.resolve()
        },
      })
      await consumer.ready
      for (const stream of streams) {
        const outgoing = [{ topic: 'tasks', key: 's', type: 'Task', data: stream }]
        await writer.appendToStream(
          stream,
          [
            { type: 'Said', data: 2 },
            { type: 'Said', data: 3 },
          ],
          { outgoing },
        )
      }
      await done.promise
      expect(seen).toEqual([
        [1, 2, 3],
        [1, 2, 3],
      ])
    } finally {
      await Promise.all([writer.close(), reader.close()])
    }
  })
})
