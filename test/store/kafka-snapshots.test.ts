import { expect, it } from 'vitest'
import type { DriverRecord, FetchedPartition, FetchPosition } from '../../src/kafka/driver.ts'
import { KafkaSnapshots } from '../../src/store/kafka/kafka-snapshots.ts'
import { namesOf } from '../../src/store/kafka/names.ts'

/** A snapshot topic of one partition that can stop to answer. */
class Topic {
  readonly records: DriverRecord[] = []
  fetches = 0
  answers = true

  openReader() {
    return { fetch: (positions: readonly FetchPosition[]) => this.#fetch(positions), close: async () => {} }
  }

  async produce(records: readonly DriverRecord[]): Promise<void> {
    this.records.push(...records)
  }

  async offsetOf(): Promise<number> {
    return 0
  }

  async #fetch([position]: readonly FetchPosition[]): Promise<readonly FetchedPartition[]> {
    if (position === undefined) return []
    this.fetches++
    if (!this.answers) return new Promise(() => {})
    const end = this.records.length
    const records = this.records.slice(position.offset).map((record, index) => {
      return { ...record, offset: position.offset + index, timestampMs: 0 }
    })
    const place = { topic: position.topic, partition: position.partition, fromOffset: position.offset }
    return [{ ...place, records, nextOffset: end, stableOffset: end, highWatermark: end }]
  }
}

function open(topic: Topic): KafkaSnapshots {
  return new KafkaSnapshots(topic, {
    names: namesOf('', 'session.events'),
    ensure: async () => {},
    partitionCountOf: () => 1,
  })
}

it('K1 what was learned a moment ago answers without the broker', async () => {
  const topic = new Topic()
  const snapshots = open(topic)
  await snapshots.save('n', 's', 'one')
  expect(await snapshots.load('n', 's')).toBe('one')
  topic.answers = false
  expect(await snapshots.load('n', 's')).toBe('one')
})

it('K1 what this process wrote it sees at once', async () => {
  const topic = new Topic()
  const snapshots = open(topic)
  for (const text of ['one', 'two', 'three']) {
    await snapshots.save('n', 's', text)
    expect(await snapshots.load('n', 's')).toBe(text)
  }
  await snapshots.clear()
  expect(await snapshots.load('n', 's')).toBeUndefined()
})

it('K1 what another process wrote is seen later, and asked for on the side', async () => {
  const topic = new Topic()
  const [one, other] = [open(topic), open(topic)]
  await one.save('n', 's', 'one')
  expect(await other.load('n', 's')).toBe('one')
  await one.save('n', 's', 'two')
  await expect.poll(() => other.load('n', 's'), { timeout: 20_000, interval: 50 }).toBe('two')
})

it('a large snapshot is fetched each time, not kept', async () => {
  const topic = new Topic()
  const snapshots = open(topic)
  const large = 'x'.repeat(100_000)
  await snapshots.save('n', 's', large)
  expect(await snapshots.load('n', 's')).toBe(large)
  const before = topic.fetches
  expect(await snapshots.load('n', 's')).toBe(large)
  expect(topic.fetches).toBeGreaterThan(before)
})
