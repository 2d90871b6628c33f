import { describe, expect, it } from 'vitest'
import type { Logger } from '../../src/core/logger.ts'
import {
  type FetchedPartition,
  type FetchedRecord,
  type FetchPosition,
  type KafkaDriver,
  KafkaError,
} from '../../src/kafka/driver.ts'
import { type FeedPartition, PartitionFeed } from '../../src/store/kafka/partition-feed.ts'

const recordAt = (offset: number): FetchedRecord => ({ offset, timestampMs: 0, key: null, value: null, headers: {} })

function answer({ topic, partition, offset }: FetchPosition, count: number): FetchedPartition {
  const records = Array.from({ length: count }, (_, n) => recordAt(offset + n))
  const nextOffset = offset + count
  const ends = { stableOffset: nextOffset, highWatermark: nextOffset }
  return { topic, partition, fromOffset: offset, records, nextOffset, ...ends }
}

interface Poll {
  readonly partitions: readonly number[]
  readonly maxWaitMs: number
}

/** A feed of topic "t", whose partitions answer as `fetch` says. */
function feedOf(fetch: (position: FetchPosition) => FetchedPartition, ends = { earliest: 0, latest: 0 }) {
  const polls: Poll[] = []
  const said: [string, object][] = []
  const note = (fields: object, text: string) => void said.push([text, fields])
  const logger: Logger = { debug() {}, info: note, warn: note, error: note }
  const openReader: KafkaDriver['openReader'] = () => ({
    fetch: async (positions, { maxWaitMs }) => {
      polls.push({ partitions: positions.map(({ partition }) => partition), maxWaitMs })
      await new Promise((resolve) => void setImmediate(resolve))
      return positions.map(fetch)
    },
    close: async () => {},
  })
  const offsetOf: KafkaDriver['offsetOf'] = async (_place, end) => ends[end === 'written' ? 'latest' : end]
  const driver = { openReader, offsetOf } as Partial<KafkaDriver> as KafkaDriver
  const feed = new PartitionFeed({ driver, logger })
  return { feed, polls, said, follow: (partition: number, from = 0) => feed.follow({ topic: 't', partition }, from) }
}

/** The offsets it is given until there are so many. */
async function taken(partition: FeedPartition, count: number): Promise<number[]> {
  const offsets: number[] = []
  while (offsets.length < count) {
    const { generation } = partition.wakeUps
    offsets.push(...partition.take().records.map(({ offset }) => offset))
    if (offsets.length < count) await partition.wakeUps.after(generation)
  }
  return offsets
}

describe('a feed of partitions', () => {
  it('while one is left out the others are not waited for long: its reader may be ready at any moment', async () => {
    // Partition 0 has more than a feed keeps waiting, partition 1 nothing.
    const { feed, polls, follow } = feedOf((position) => answer(position, position.partition === 0 ? 1000 : 0))
    follow(0)
    follow(1)
    await expect.poll(() => polls.length).toBeGreaterThan(1)
    await feed.close()
    expect(polls[0]).toEqual({ partitions: [0, 1], maxWaitMs: 200 })
    expect(polls[1]?.partitions).toEqual([1])
    expect(polls[1]?.maxWaitMs).toBeLessThanOrEqual(20)
  })

  it('one that cannot be read holds up no other; its reader hears why, once, and it comes back', async () => {
    let denied = true
    const { feed, said, follow } = feedOf((position) => {
      if (position.partition === 1 && denied) throw new KafkaError('REFUSED', 'no Read on t', { type: 'DENIED' })
      return answer(position, position.offset < 3 ? 1 : 0)
    })
    const [fine, ill] = [follow(0), follow(1)]
    expect(await taken(fine, 3)).toEqual([0, 1, 2])
    await expect(taken(ill, 1)).rejects.toMatchObject({
      code: 'BROKER_REFUSED',
      message: expect.stringContaining('no Read on t'),
    })
    denied = false
    expect(await taken(ill, 3)).toEqual([0, 1, 2])
    await feed.close()
    expect(said).toEqual([['A partition can be read again', { topic: 't', partition: 1 }]])
  })

  it('tells from where on it has all; not where something was deleted before it was read', async () => {
    const gone = new KafkaError('OFFSET_OUT_OF_RANGE', 'out of range')
    const { feed, follow } = feedOf(
      (position) => {
        if (position.offset > 2 && position.offset < 7) throw gone
        return answer(position, position.offset < 9 ? 1 : 0)
      },
      { earliest: 7, latest: 9 },
    )
    const partition = follow(0, 1)
    await expect.poll(() => partition.nextOffset).toBe(9)
    expect(partition.take()).toMatchObject({ fromOffset: undefined, nextOffset: 9, records: { length: 4 } })
    expect(partition.take()).toEqual({ fromOffset: 9, nextOffset: 9, records: [] })
    const whole = follow(1, 7)
    await expect.poll(() => whole.nextOffset).toBe(9)
    expect(whole.take()).toMatchObject({ fromOffset: 7, nextOffset: 9, records: { length: 2 } })
    await feed.close()
  })

  it('F1 what was deleted before it was read is said, with its offsets', async () => {
    const gone = new KafkaError('OFFSET_OUT_OF_RANGE', 'out of range')
    const { feed, said, follow } = feedOf(
      (position) => {
        if (position.offset < 7) throw gone
        return answer(position, position.offset < 9 ? 1 : 0)
      },
      { earliest: 7, latest: 9 },
    )
    expect(await taken(follow(0, 2), 2)).toEqual([7, 8])
    await feed.close()
    const skipped = said.filter(([, fields]) => 'to' in fields)
    expect(skipped).toEqual([
      [expect.stringContaining('deleted before they were read'), { topic: 't', partition: 0, from: 2, to: 6 }],
    ])
  })

  it('F1 a place behind the end of its log is not guessed at: nothing more comes, also when the log has grown so far', async () => {
    let isShort = true
    const { feed, follow } = feedOf(
      (position) => {
        if (position.partition === 0 && isShort) throw new KafkaError('OFFSET_OUT_OF_RANGE', 'out of range')
        return answer(position, position.offset < 50 ? 1 : 0)
      },
      { earliest: 0, latest: 3 },
    )
    const [ahead, other] = [follow(0, 20), follow(1)]
    await expect.poll(() => ahead.endBefore).toBe(3)
    isShort = false
    expect(await taken(other, 50)).toHaveLength(50)
    await feed.close()
    expect(ahead.take().records).toEqual([])
  })
})
