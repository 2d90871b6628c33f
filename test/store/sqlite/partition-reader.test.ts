import { afterEach, beforeEach, expect, it } from 'vitest'
import type { RecordedMessage } from '../../../src/core/event.ts'
import type { EventStore, PartitionPosition } from '../../../src/store/event-store.ts'
import { openSqliteStore } from '../../../src/store/sqlite/sqlite-store.ts'
import { seeded } from '../../model/virtual-time.ts'
import { type TempLog, tempLog } from './temp-log.ts'

/* A follower of partitions gets every record from its place on, once and in order, however far behind it is and whoever wrote. */

let log: TempLog
let stores: EventStore[]
beforeEach(async () => {
  log = tempLog()
  stores = [await openSqliteStore({ path: log.path }), await openSqliteStore({ path: log.path })]
})
afterEach(async () => {
  await Promise.all(stores.map((store) => store.close()))
  log.remove()
})

const TOPIC = 'session.events'
const events = (count: number) =>
  Array.from({ length: count }, (_, n) => ({
    type: 'Added',
    data: n,
    ...(n % 3 === 0 ? { headers: { n: `é${n}` }, causationId: 'c' } : {}),
  }))

/** What is there from the places on, and what comes. */
function follow(store: EventStore, from: readonly PartitionPosition[]) {
  const stop = new AbortController()
  const offsets = new Map<number, number[]>(from.map(({ partition }) => [partition, []]))
  const seen: RecordedMessage[] = []
  const wakers = new Set<() => void>()
  const reading = (async () => {
    for await (const { messages } of store.followPartitions(from, { signal: stop.signal })) {
      for (const { partition, offset } of messages) offsets.get(partition)?.push(offset)
      seen.push(...messages)
      for (const wake of wakers) wake()
    }
  })()
  const hasAll = (ends: readonly PartitionPosition[]) =>
    ends.every(({ partition, offset }) => {
      const start = from.find((place) => place.partition === partition)?.offset ?? 0
      return (offsets.get(partition)?.length ?? 0) >= offset - start
    })
  const reached = async (ends: readonly PartitionPosition[]) => {
    while (!hasAll(ends)) await new Promise<void>((wake) => wakers.add(wake))
  }
  const end = () => {
    stop.abort()
    return reading
  }
  const messages = (places: readonly PartitionPosition[]) =>
    places.map(({ partition }) => seen.filter((message) => message.partition === partition))
  return { offsets, messages, reached, stop: end }
}

function expectAll(
  offsets: Map<number, number[]>,
  from: readonly PartitionPosition[],
  ends: readonly PartitionPosition[],
) {
  for (const { partition, offset: start } of from) {
    const end = ends.find((place) => place.partition === partition)?.offset ?? 0
    expect(offsets.get(partition)).toEqual(Array.from({ length: Math.max(0, end - start) }, (_, n) => start + n))
  }
}

const seed = Number(process.env.DUOLOG_SEED ?? Math.floor(Math.random() * 2 ** 31))

it(`at random, by this store and another one (DUOLOG_SEED=${seed})`, async () => {
  const random = seeded(seed)
  const upTo = (most: number) => Math.floor(random() * (most + 1))
  const append = () => stores[upTo(1)]?.appendToStream(`s${upTo(20)}`, events([1, 3, 99, 100, 101, 400][upTo(5)] ?? 1))
  for (let n = 0; n < 25; n++) await append()
  const from = (await stores[0]!.partitionEnds(TOPIC)).map((end) => ({ ...end, offset: upTo(end.offset) }))
  const reader = follow(stores[0]!, from)
  for (let n = 0; n < 40; n++) {
    await append()
    if (random() < 0.3) await reader.reached(await stores[0]!.partitionEnds(TOPIC))
  }
  const ends = await stores[0]!.partitionEnds(TOPIC)
  await reader.reached(ends)
  await reader.stop()
  expectAll(reader.offsets, from, ends)
  // What was handed over from memory is what the file has.
  expect(reader.messages(from)).toEqual(await fromFile(from, ends))
})

async function fromFile(from: readonly PartitionPosition[], ends: readonly PartitionPosition[]) {
  const other = await openSqliteStore({ path: log.path })
  stores.push(other)
  const reader = follow(other, from)
  await reader.reached(ends)
  await reader.stop()
  return reader.messages(from)
}

it('one that begins in the middle of a short log', async () => {
  const [own] = stores as [EventStore]
  await own.appendToStream('mine', events(7))
  const end = await firstUsed(own)
  const from = [{ ...end, offset: 3 }]
  const reader = follow(own, from)
  await reader.reached([end])
  await reader.stop()
  expectAll(reader.offsets, from, [end])
})

it('one that was idle while many records went to other partitions, some of them by others', async () => {
  const [own, other] = stores as [EventStore, EventStore]
  await own.appendToStream('mine', events(1))
  const { partition } = await firstUsed(own)
  const from = [{ topic: TOPIC, partition, offset: 0 }]
  const reader = follow(own, from)
  await reader.reached(await endsOf(own, partition))
  const elsewhere = await streamsNotIn(own, partition)
  for (const store of [own, other, own]) for (const stream of elsewhere) await store.appendToStream(stream, events(200))
  for (const store of [other, own]) {
    await store.appendToStream('mine', events(100))
    await reader.reached(await endsOf(own, partition))
  }
  await reader.stop()
  expectAll(reader.offsets, from, await endsOf(own, partition))
})

async function firstUsed(store: EventStore): Promise<PartitionPosition> {
  return (await store.partitionEnds(TOPIC)).find(({ offset }) => offset > 0)!
}

async function endsOf(store: EventStore, partition: number): Promise<readonly PartitionPosition[]> {
  return (await store.partitionEnds(TOPIC)).filter((end) => end.partition === partition)
}

/** Names of new streams in other partitions. */
async function streamsNotIn(store: EventStore, partition: number): Promise<readonly string[]> {
  const found: string[] = []
  for (let n = 0; found.length < 4; n++) {
    const before = (await endsOf(store, partition))[0]?.offset
    await store.appendToStream(`other-${n}`, events(1))
    if ((await endsOf(store, partition))[0]?.offset === before) found.push(`other-${n}`)
  }
  return found
}
