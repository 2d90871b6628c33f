import { readdirSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { memoryBlobs } from '../../src/store/blobs.ts'
import { checkIn, isCheckedIn } from '../../src/store/large-event.ts'
import { openMemoryStore } from '../../src/store/memory/memory-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { openSqliteStore } from '../../src/store/sqlite/sqlite-store.ts'
import { largeEventSuite } from './large-event-suite.ts'
import { type TempLog, tempLog } from './sqlite/temp-log.ts'

let file: TempLog
beforeEach(() => {
  file = tempLog()
})
afterEach(() => file.remove())

largeEventSuite('memory', () => ({ open: async () => openMemoryStore() }))
largeEventSuite('a file', () => ({ open: () => openSqliteStore({ path: file.path }) }))

describe('the limit', () => {
  it.each([
    ['at it', 'x'.repeat(98), false],
    ['one byte above it', 'x'.repeat(99), true],
    ['two-byte characters', 'ü'.repeat(60), true],
    ['many small values', Array.from({ length: 51 }, () => 1), true],
    ['nothing', null, false],
  ])('of 100 bytes, %s', async (_what, data, moved) => {
    expect(isCheckedIn(await checkIn({ type: 'T', data }, memoryBlobs(), 100))).toBe(moved)
  })

  it('leaves what JSON cannot carry to the store to refuse', async () => {
    const store = await openEventStore('memory:', { largeEvents: { limitBytes: 10 } })
    const large = { text: 'x'.repeat(100), f: () => 1 }
    await expect(store.appendToStream('s', [{ type: 'T', data: large }])).rejects.toMatchObject({
      code: 'INVALID_EVENT',
    })
    await store.close()
  })
})

describe('a log opened by its URL', () => {
  it('puts what is large beside the file, once, and another process reads it', async () => {
    const data = { text: 'x'.repeat(100_000) }
    const store = await openEventStore(`file:${file.path}`)
    await store.appendToStream('s', [
      { type: 'T', data },
      { type: 'T', data },
    ])
    await store.close()
    const folders = readdirSync(`${file.path}-blobs`)
    expect(folders).toHaveLength(1)
    expect(readdirSync(`${file.path}-blobs/${folders[0]}`)).toHaveLength(1)
    const other = await openEventStore(`file:${file.path}`)
    for await (const event of other.readStream('s')) expect(event.data).toEqual(data)
    await other.close()
  })
})
