import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DuologError } from '../../../src/core/errors.ts'
import type { RecordedEvent } from '../../../src/core/event.ts'
import { onReach } from '../../../src/core/reach.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import { GroupCommit } from '../../../src/store/sqlite/group-commit.ts'
import { loadSqlite, openDatabase } from '../../../src/store/sqlite/open-database.ts'
import { openSqliteStore } from '../../../src/store/sqlite/sqlite-store.ts'
import { type TempLog, tempLog } from './temp-log.ts'

let log: TempLog
const stores: EventStore[] = []
beforeEach(() => {
  log = tempLog()
})
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close()
  log.remove()
})

async function open(busyTimeoutMs?: number): Promise<EventStore> {
  const store = await openSqliteStore({ path: log.path, ...(busyTimeoutMs !== undefined && { busyTimeoutMs }) })
  stores.push(store)
  return store
}

async function read(store: EventStore, stream: string): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = []
  for await (const event of store.readStream(stream)) events.push(event)
  return events
}

const added = (n: number, text = '') => ({ type: 'Added', data: { n, text } })

describe('group commit', () => {
  it('fifty callers share few transactions', async () => {
    const store = await open()
    let commits = 0
    const stop = onReach((point) => {
      if (point === 'file.commit.done') commits++
    })
    await Promise.all(Array.from({ length: 50 }, (_, n) => store.appendToStream(`s${n}`, [added(n)])))
    stop()
    expect(commits).toBeLessThanOrEqual(2)
  })

  it('P4 nobody is answered before the commit', async () => {
    const store = await open()
    const seen: string[] = []
    const stop = onReach((point) => seen.push(point))
    await store.appendToStream('s', [added(1)]).then(() => seen.push('answered'))
    stop()
    expect(seen.indexOf('answered')).toBeGreaterThan(seen.indexOf('file.commit.done'))
  })

  it('work that fails for a reason of its own costs its neighbours nothing', async () => {
    const db = await openDatabase(await loadSqlite(), log.path, 1000)
    const commits = new GroupCommit({
      db,
      path: log.path,
      busyTimeoutMs: 1000,
      onBegin() {},
      onRollback() {},
      onCommit() {},
    })
    const add = (name: string) => () => db.prepare('INSERT INTO topics (name, partitions) VALUES (?, 1)').run(name)
    const results = await Promise.allSettled([
      commits.run(add('one')),
      commits.run(() => {
        add('half')()
        throw new TypeError('broken')
      }),
      commits.run(() => {
        throw new DuologError('CHECKPOINT_FENCED', 'refused')
      }),
      commits.run(add('two')),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled'])
    expect(
      db
        .prepare('SELECT name FROM topics ORDER BY id')
        .all()
        .map((row) => row.name),
    ).toEqual(['one', 'two'])
    db.close()
  })
})

describe('a full disk', () => {
  it('P2 is LOG_FULL for whom it does not fit, with nothing half-written; the others go on', async () => {
    const store = await openFull()
    const big = store.appendToStream('big', [added(1), added(2, 'x'.repeat(3_000_000))], {
      outgoing: [{ topic: 'agent.tasks.worker', key: 'k', type: 'Task', data: 1 }],
    })
    const small = store.appendToStream('small', [added(1)])
    await expect(big).rejects.toMatchObject({ code: 'LOG_FULL', retry: { afterMs: 5000 } })
    await expect(small).resolves.toMatchObject({ currentStreamVersion: 1 })
    expect(await read(store, 'big')).toEqual([])
    const streams: string[] = []
    for await (const { stream } of store.listStreams()) streams.push(stream)
    expect(streams).toEqual(['small'])
  })

  /** A limit of pages is what a disk without room looks like to SQLite: SQLITE_FULL. */
  async function openFull(): Promise<EventStore> {
    const prototype = DatabaseSync.prototype
    const prepare = prototype.prepare
    let limited = false
    prototype.prepare = function (this: DatabaseSync, sql: string) {
      if (!limited && sql === 'BEGIN IMMEDIATE') {
        limited = true
        this.exec('PRAGMA max_page_count = 100')
      }
      return prepare.call(this, sql)
    }
    try {
      return await open()
    } finally {
      prototype.prepare = prepare
    }
  }
})

describe("another program's lock", () => {
  function lock(): DatabaseSync {
    const other = new DatabaseSync(log.path)
    other.exec('BEGIN IMMEDIATE')
    return other
  }

  it('makes an append wait, not fail, and leaves the event loop free', async () => {
    const store = await open()
    const other = lock()
    const appended = store.appendToStream('s', [added(1)])
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(await read(store, 's')).toEqual([])
    other.close()
    await expect(appended).resolves.toMatchObject({ currentStreamVersion: 1 })
  })

  it('that is never given up is LOG_BUSY in the end, and nothing was written', async () => {
    const store = await open(100)
    const other = lock()
    const appends = [1, 2].map((n) => store.appendToStream('s', [added(n)]))
    for (const append of appends) await expect(append).rejects.toMatchObject({ code: 'LOG_BUSY' })
    other.close()
    await expect(store.appendToStream('s', [added(3)])).resolves.toMatchObject({ firstStreamPosition: 1 })
  })
})

it('P5 an event id made by the store is known when it comes back', async () => {
  const store = await open()
  await store.appendToStream('s', [added(1)])
  const [event] = await read(store, 's')
  const again = await store.appendToStream('s', [{ ...added(1), eventId: String(event?.eventId) }])
  expect(again).toMatchObject({ repeated: true, currentStreamVersion: 1 })
})

it('a long stream comes in pages, whole and in order, also from the middle', async () => {
  const store = await open()
  for (let n = 0; n < 12; n++) {
    const events = Array.from({ length: 150 }, (_, index) => added(n * 150 + index + 1))
    await store.appendToStream('s', events)
  }
  const all = await read(store, 's')
  expect(all.map(({ streamPosition }) => streamPosition)).toEqual(Array.from({ length: 1800 }, (_, n) => n + 1))
  const some: number[] = []
  for await (const event of store.readStream('s', { from: 700, maxCount: 900 })) some.push(event.streamPosition)
  expect([some[0], some.at(-1), some.length]).toEqual([700, 1599, 900])
})
