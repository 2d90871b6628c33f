import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { deskOn, dlqSuite, type Letter } from './dlq-suite.ts'

const log = { name: 'file', newUrl: (folder: string) => `file:${join(folder, 'log.db')}` }
const desk = deskOn(log)

describe('duolog dlq', () => {
  it('lists with filters', async () => {
    const { dlq, json } = desk()
    expect(await json('list', '--key', 'a')).toHaveLength(2)
    expect(await json('list', '--type', 'Other')).toMatchObject([{ key: 'b' }])
    expect(await json('list', '--older-than', '2h')).toEqual([])
    expect(await json('list', '--newer-than', '2h')).toHaveLength(3)
    expect(await json('list', '--error', 'TypeError', '--group', 'workers')).toHaveLength(3)
    expect(await json('list', '--error', 'RangeError')).toEqual([])
    expect(await json('list', '--group', 'others')).toEqual([])
    expect((await dlq('list', '--topic', 'none')).stdout).toContain('No dead letters.')
  })

  it('shows one as JSON', async () => {
    const { json, ids } = desk()
    expect(await json<Letter>('show', ids[0])).toMatchObject({ id: ids[0], status: 'open' })
  })

  it('discards nothing without a reason, and nothing when it is only asked what would be', async () => {
    const { dlq, json } = desk()
    expect((await dlq('discard', '--all')).code).toBe(2)
    const dry = await dlq('discard', '--type', 'Other', '--reason', 'nobody needs it', '--dry-run')
    expect(dry.stdout).toContain('1 dead letter would be discarded, 0 refused.')
    expect(await json('list', '--status', 'discarded')).toEqual([])
  })

  it('says what is wrong with what it was asked', async () => {
    const { dlq } = desk()
    const nothing = await dlq('redrive')
    expect([nothing.code, nothing.stderr]).toEqual([2, expect.stringContaining('Say which dead letters')])
    const unknown = await dlq('show', 'workers/jobs/0/99')
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('has no dead letter')])
    expect((await dlq('show', 'nonsense')).stderr).toContain('GROUP/TOPIC/PARTITION/OFFSET')
    expect((await dlq('list', '--older-than', 'long')).stderr).toContain('90s, 15m, 2h or 30d')
    expect((await dlq('redrive', '--help')).stdout).toContain('Examples:')
  })
})

dlqSuite(log, desk)
