import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, it } from 'vitest'
import { memoryInbox } from '../../src/processing/inbox.ts'
import { sqliteInbox } from '../../src/processing/sqlite-inbox.ts'
import { inboxContract } from '../../src/testing/inbox-contract.ts'

const folder = mkdtempSync(join(tmpdir(), 'duolog-inbox-'))
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
let files = 0
const newPath = () => join(folder, `inbox-${files++}.db`)

inboxContract({ name: 'memory', runner: { describe, it }, open: async (window) => memoryInbox(window) })
inboxContract({
  name: 'SQLite, a file of its own',
  runner: { describe, it },
  open: (window) => sqliteInbox({ path: newPath(), ...window }),
})
inboxContract({
  name: 'SQLite, in a database of yours',
  runner: { describe, it },
  open: (window) => sqliteInbox({ database: new DatabaseSync(':memory:'), ...window }),
})

describe('an inbox in SQLite', () => {
  it('P7 knows after a restart what was done and what was begun', async () => {
    const path = newPath()
    const before = await sqliteInbox({ path })
    await before.begin('c', 'done')
    await before.finish('c', 'done')
    await before.begin('c', 'begun')
    await before.close()
    const after = await sqliteInbox({ path })
    expect([await after.begin('c', 'done'), await after.begin('c', 'begun')]).toEqual(['done', 'begun'])
    await after.close()
  })

  it('I3 the mark and the effect are one transaction: both or none, once', async () => {
    const database = new DatabaseSync(':memory:')
    database.exec('CREATE TABLE paid (amount INTEGER)')
    const inbox = await sqliteInbox({ database })
    const pay = (amount: number) => () => database.exec(`INSERT INTO paid VALUES (${amount})`)
    const failing = () => {
      pay(1)()
      throw new Error('after the row')
    }
    expect(() => inbox.inTransaction('c', 'm', failing)).toThrow('after the row')
    expect(inbox.inTransaction('c', 'm', pay(2))).toBe(true)
    expect(inbox.inTransaction('c', 'm', pay(3))).toBe(false)
    expect(database.prepare('SELECT amount FROM paid').all()).toEqual([{ amount: 2 }])
    database.close()
  })

  it('forgets by age', async () => {
    const inbox = await sqliteInbox({ database: new DatabaseSync(':memory:'), maxAgeMs: 1, maxMessages: 1 })
    await inbox.begin('c', 'a')
    await inbox.finish('c', 'a')
    await new Promise((resolve) => setTimeout(resolve, 5))
    await inbox.begin('c', 'b')
    await inbox.finish('c', 'b')
    expect(await inbox.begin('c', 'a')).toBe('new')
  })

  it('refuses a file of something else, and leaves it; needs one place', async () => {
    const path = newPath()
    writeFileSync(path, 'a letter to my mother, long enough to be something')
    await expect(sqliteInbox({ path })).rejects.toMatchObject({ code: 'NOT_AN_INBOX' })
    await expect(sqliteInbox({})).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })
})
