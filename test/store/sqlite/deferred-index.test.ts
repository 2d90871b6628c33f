import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { EventStore } from '../../../src/store/event-store.ts'
import { openSqliteStore } from '../../../src/store/sqlite/sqlite-store.ts'
import { type TempLog, tempLog } from './temp-log.ts'

/* Records on both sides of what the deferred indexes hold, and just at the border, are found alike. */

let log: TempLog
let store: EventStore
beforeEach(async () => {
  log = tempLog()
  store = await openSqliteStore({ path: log.path })
})
afterEach(async () => {
  await store.close()
  log.remove()
})

function rows(statement: string): Record<string, unknown>[] {
  const db = new DatabaseSync(log.path)
  try {
    return db.prepare(statement).all()
  } finally {
    db.close()
  }
}

/** Streams in several partitions, one record an append or many, until far beyond a round. */
async function appendMany(to: EventStore, name: string): Promise<void> {
  for (let n = 0; n < 12; n++) {
    const events = Array.from({ length: n % 2 === 0 ? 99 : 1 }, (_, part) => ({
      type: 'Added',
      data: n,
      eventId: `${name}-${n}-${part}`,
    }))
    const outgoing = [{ topic: 'jobs', key: `job-${n}`, type: 'Do', data: n }]
    await to.appendToStream(`${name}-${n % 5}`, events, { outgoing })
  }
}

async function consumeAll(topic: string): Promise<Map<number, number[]>> {
  const ends = await store.partitionEnds(topic)
  const wanted = ends.reduce((sum, { offset }) => sum + offset, 0)
  const seen = new Map<number, number[]>()
  let count = 0
  let finish = () => {}
  const done = new Promise<void>((resolve) => {
    finish = resolve
  })
  const consumer = store.consume({
    group: 'g',
    topics: [topic],
    from: 'beginning',
    handler: async ({ partition, offset }) => {
      seen.set(partition, [...(seen.get(partition) ?? []), offset])
      if (++count === wanted) finish()
    },
  })
  await done
  await consumer.stop()
  return seen
}

it('the views show every record once, indexed or not yet', async () => {
  await appendMany(store, 'a')
  const [state] = rows('SELECT position, (SELECT count(*) FROM partition_index) AS found FROM indexed')
  expect(state?.position).toBeGreaterThan(0)
  expect(state?.found).toBe(state?.position)
  const place = 'topic, partition, "offset", position'
  expect(rows(`SELECT ${place} FROM places ORDER BY position`)).toEqual(
    rows(`SELECT ${place} FROM records ORDER BY position`),
  )
  const id = 'event_id, stream, stream_version'
  expect(rows(`SELECT ${id} FROM ids ORDER BY stream, stream_version`)).toEqual(
    rows(`SELECT ${id} FROM records WHERE stream IS NOT NULL ORDER BY stream, stream_version`),
  )
})

it('a consumer gets every offset of every partition in order, across the border', async () => {
  await appendMany(store, 'a')
  for (const [topic, records] of [
    ['session.events', 600],
    ['jobs', 12],
  ] as const) {
    const seen = await consumeAll(topic)
    for (const offsets of seen.values()) expect(offsets).toEqual(offsets.map((_, index) => index))
    expect([...seen.values()].flat()).toHaveLength(records)
  }
})

it('P5 events repeated with their ids are found, however long ago; two processes go on with the same offsets', async () => {
  const other = await openSqliteStore({ path: log.path })
  try {
    await appendMany(store, 'a')
    await appendMany(other, 'b')
    for (const [name, part] of [
      ['a-0', 0],
      ['b-1', 1],
    ] as const) {
      const again = { type: 'Added', data: 0, eventId: `${name[0]}-${part}-0` }
      const appended = await store.appendToStream(name, [again])
      expect(appended).toMatchObject({ repeated: true, firstStreamPosition: 1 })
    }
    const gaps = rows('SELECT topic, partition FROM places GROUP BY 1, 2 HAVING count(*) <> max("offset") + 1')
    expect(gaps).toEqual([])
  } finally {
    await other.close()
  }
})

it('an id the store made is found when a caller repeats it', async () => {
  await store.appendToStream('s', [{ type: 'Added', data: 1 }])
  const events = store.readStream('s')[Symbol.asyncIterator]()
  const { value: first } = await events.next()
  for (const when of ['not indexed yet', 'indexed']) {
    const repeated = await store.appendToStream('s', [{ type: 'Added', data: 1, eventId: first.eventId }])
    expect(repeated.repeated, when).toBe(true)
    await appendMany(store, when)
  }
})
