import { expect, it } from 'vitest'
import type { FetchedPartition, FetchedRecord, FetchPosition, KafkaDriver } from '../../src/kafka/driver.ts'
import { PartitionFeed } from '../../src/store/kafka/partition-feed.ts'

const recordAt = (offset: number): FetchedRecord => ({ offset, timestampMs: 0, key: null, value: null, headers: {} })

/** Partition 0 has more than a feed keeps waiting, partition 1 nothing. */
function answer({ topic, partition, offset }: FetchPosition): FetchedPartition {
  const records = partition === 0 ? Array.from({ length: 1000 }, (_, n) => recordAt(offset + n)) : []
  const nextOffset = offset + records.length
  return {
    topic,
    partition,
    fromOffset: offset,
    records,
    nextOffset,
    stableOffset: nextOffset,
    highWatermark: nextOffset,
  }
}

it('while a partition is left out the others are not waited for long: its reader may be ready at any moment', async () => {
  const polls: { readonly partitions: number; readonly maxWaitMs: number }[] = []
  const twice = Promise.withResolvers<void>()
  const openReader: KafkaDriver['openReader'] = () => ({
    fetch: async (positions, { maxWaitMs }) => {
      polls.push({ partitions: positions.length, maxWaitMs })
      if (polls.length === 2) twice.resolve()
      await new Promise((resolve) => void setImmediate(resolve))
      return positions.map(answer)
    },
    close: async () => {},
  })
  const feed = new PartitionFeed({ openReader } as Partial<KafkaDriver> as KafkaDriver)
  feed.follow({ topic: 't', partition: 0 }, 0)
  feed.follow({ topic: 't', partition: 1 }, 0)
  await twice.promise
  await feed.close()

  const [both, one] = polls
  expect(both).toEqual({ partitions: 2, maxWaitMs: 200 })
  expect(one?.partitions).toBe(1)
  expect(one?.maxWaitMs).toBeLessThanOrEqual(20)
})
