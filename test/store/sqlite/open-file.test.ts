import { copyFileSync, existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isDuologError } from '../../../src/core/errors.ts'
import { FORMAT_VERSION } from '../../../src/store/sqlite/schema.ts'
import { openSqliteStore } from '../../../src/store/sqlite/sqlite-store.ts'
import type { StoreOptions } from '../../../src/store/store-options.ts'
import { type TempLog, tempLog } from './temp-log.ts'

let log: TempLog
beforeEach(() => {
  log = tempLog()
})
afterEach(() => log.remove())

async function refusal(path = log.path, options: StoreOptions = {}) {
  try {
    const store = await openSqliteStore({ path }, options)
    await store.close()
  } catch (error) {
    if (isDuologError(error)) return error
    throw error
  }
  throw new Error('it opened')
}

async function makeLog(eventCount = 200): Promise<void> {
  const store = await openSqliteStore({ path: log.path })
  const events = Array.from({ length: eventCount }, (_, n) => ({ type: 'Added', data: { n, text: 'x'.repeat(200) } }))
  await store.appendToStream('s', events)
  await store.close()
}

function sql(statement: string): void {
  const db = new DatabaseSync(log.path)
  db.exec(statement)
  db.close()
}

describe('a file that is not ours', () => {
  it.each(['hello, this is a text file\n'.repeat(50), 'short'])(
    'text is NOT_A_LOG and stays as it is',
    async (text) => {
      writeFileSync(log.path, text)
      const error = await refusal()
      expect(error.code).toBe('NOT_A_LOG')
      expect(error.message).toContain(log.path)
      expect(readFileSync(log.path, 'utf8')).toBe(text)
    },
  )

  it("another program's database is NOT_A_LOG, byte for byte as before", async () => {
    sql('CREATE TABLE recipes (name TEXT); INSERT INTO recipes VALUES (1)')
    const before = readFileSync(log.path)
    expect((await refusal()).code).toBe('NOT_A_LOG')
    expect(readFileSync(log.path).equals(before)).toBe(true)
    expect(existsSync(`${log.path}-wal`)).toBe(false)
  })

  it('a folder in its place is LOG_UNAVAILABLE', async () => {
    mkdirSync(log.path)
    expect((await refusal()).code).toBe('LOG_UNAVAILABLE')
  })

  it('a folder that cannot be made is LOG_UNAVAILABLE', async () => {
    writeFileSync(join(log.folder, 'file'), '')
    const error = await refusal(join(log.folder, 'file', 'sub', 'run.db'))
    expect(error.code).toBe('LOG_UNAVAILABLE')
  })
})

describe('a damaged file', () => {
  it.each([10, 100, 4096, 20_000])('cut to %i bytes is LOG_CORRUPT and says what to do', async (bytes) => {
    await makeLog()
    truncateSync(log.path, bytes)
    const error = await refusal()
    expect(error.code).toBe('LOG_CORRUPT')
    expect(error.message).toContain('.recover')
  })

  it('overwritten in the middle is LOG_CORRUPT when that is read, never a wrong answer', async () => {
    await makeLog()
    const bytes = readFileSync(log.path)
    bytes.fill(0xaa, 4096 * 12)
    writeFileSync(log.path, bytes)
    const read = async () => {
      const store = await openSqliteStore({ path: log.path })
      try {
        for await (const _ of store.readStream('s'));
      } finally {
        await store.close()
      }
    }
    await expect(read()).rejects.toMatchObject({ code: 'LOG_CORRUPT' })
  })

  it('without one of its tables is LOG_CORRUPT', async () => {
    await makeLog()
    sql('DROP TABLE idempotency_keys')
    expect((await refusal()).code).toBe('LOG_CORRUPT')
  })
})

it('a newer format is LOG_NEWER and stays as it is', async () => {
  await makeLog()
  sql(`PRAGMA user_version = ${FORMAT_VERSION + 1}`)
  const copy = join(log.folder, 'copy.db')
  copyFileSync(log.path, copy)
  const error = await refusal()
  expect(error.code).toBe('LOG_NEWER')
  expect(error.message).toContain('update duolog')
  expect(readFileSync(log.path).equals(readFileSync(copy))).toBe(true)
})

it('an empty file becomes a log, folders on the way are made', async () => {
  const path = join(log.folder, 'a', 'b', 'run.db')
  mkdirSync(join(log.folder, 'a', 'b'), { recursive: true })
  writeFileSync(path, '')
  const store = await openSqliteStore({ path })
  await store.appendToStream('s', [{ type: 'Added', data: 1 }])
  await store.close()
  const other = await openSqliteStore({ path: join(log.folder, 'c', 'd', 'run.db') })
  await other.close()
})

describe('partition counts', () => {
  it('are fixed at creation: another count is TOPIC_UNSUITABLE', async () => {
    const first = await openSqliteStore({ path: log.path }, { topics: { jobs: { partitions: 2 } } })
    await first.close()
    const error = await refusal(log.path, { topics: { jobs: { partitions: 3 } } })
    expect(error.code).toBe('TOPIC_UNSUITABLE')
    expect(error.message).toMatch(/"jobs" has 2 partitions/)
  })

  it('of the file are used by a program that defines none', async () => {
    const topics = { 'session.events': { partitions: 1 } }
    const first = await openSqliteStore({ path: log.path }, { topics })
    await first.close()
    const second = await openSqliteStore({ path: log.path })
    for (const stream of ['a', 'b', 'c', 'd']) await second.appendToStream(stream, [{ type: 'Added', data: 1 }])
    const partitions = new Set<number>()
    for (const stream of ['a', 'b', 'c', 'd']) {
      for await (const event of second.readStream(stream)) partitions.add(event.partition)
    }
    await second.close()
    expect([...partitions]).toEqual([0])
  })
})
