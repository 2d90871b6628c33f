import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listDeadLetters } from '../../src/processing/dead-letters.ts'
import { startProcessor } from '../../src/processing/start-processor.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { until } from '../processing/logs.ts'
import { type Folder, newFolder, plain } from './duolog.ts'

interface Letter {
  readonly id: string
  readonly key: string
  readonly status: string
  readonly settled?: { readonly by: string; readonly reason?: string }
}

let folder: Folder
let store: EventStore
let ids: readonly string[]
const seen: string[] = []
let broken = true

const log = () => ['--log', `file:${folder.file('log.db')}`]
const dlq = (...args: string[]) => folder.run(['dlq', ...args, ...log()])
const json = <T>(...args: string[]) => folder.json<T>(['dlq', ...args, ...log()])

/** Three letters: two of key a, one of b. */
beforeAll(async () => {
  folder = newFolder()
  store = await openEventStore(`file:${folder.file('log.db')}`, { topics: { jobs: { partitions: 1 } } })
  const send = (key: string, n: number) => ({ topic: 'jobs', key, type: n === 3 ? 'Other' : 'Job', data: { n } })
  await store.appendToStream('s', [], { outgoing: [send('a', 1), send('a', 2), send('b', 3)] })
  startProcessor({
    store,
    group: 'workers',
    topics: ['jobs'],
    retry: { maxAttempts: 1 },
    handler: async ({ key, data }) => {
      if (broken) throw new TypeError('cannot do it')
      seen.push(`${key}${(data as { n: number }).n}`)
    },
  })
  await until(async () => (await listDeadLetters(store, 'jobs')).length === 3)
  ids = (await listDeadLetters(store, 'jobs')).map(({ id }) => id)
  broken = false
})
afterAll(async () => {
  await store.close()
  folder.remove()
})

describe('duolog dlq', () => {
  it('lists, with filters', async () => {
    const { stdout, code } = await dlq('list')
    expect(code).toBe(0)
    expect(plain(stdout)).toMatch(/workers\/jobs\/0\/0 +Job +a +\S+ \S+ +1 +0 +open +TypeError: cannot do it/)
    expect(await json<Letter[]>('list', '--key', 'a')).toHaveLength(2)
    expect(await json<Letter[]>('list', '--type', 'Other')).toMatchObject([{ key: 'b' }])
    expect(await json<Letter[]>('list', '--older-than', '2h')).toEqual([])
    expect(await json<Letter[]>('list', '--newer-than', '2h')).toHaveLength(3)
    expect(await json<Letter[]>('list', '--error', 'TypeError', '--group', 'workers')).toHaveLength(3)
    expect(await json<Letter[]>('list', '--error', 'RangeError')).toEqual([])
    expect(await json<Letter[]>('list', '--group', 'others')).toEqual([])
    expect((await dlq('list', '--topic', 'none')).stdout).toContain('No dead letters.')
  })

  it('shows one whole', async () => {
    const { stdout } = await dlq('show', ids[0] ?? '')
    expect(stdout).toContain('error      TypeError: cannot do it')
    expect(stdout).toContain('"n": 1')
    expect(await json<Letter>('show', ids[0] ?? '')).toMatchObject({ id: ids[0], status: 'open' })
  })

  it('redrives: first what would be, then in order, by whom; settled ones are refused', async () => {
    const dry = await dlq('redrive', '--topic', 'jobs', '--key', 'a', '--dry-run')
    expect(dry.stdout).toContain('2 dead letters would be redriven, 0 refused.')
    const late = await dlq('redrive', ids[1] ?? '')
    expect(late.code).toBe(1)
    expect(late.stdout).toContain(`refused: ${ids[1]}: "${ids[0]}", before it with the same key, stays open`)
    const { redriven } = await json<{ redriven: Letter[] }>('redrive', '--key', 'a', '--by', 'eve')
    expect(redriven.map(({ id }) => id)).toEqual(ids.slice(0, 2))
    await until(() => seen.length === 2)
    expect(seen).toEqual(['a1', 'a2'])
    const again = await dlq('redrive', ids[0] ?? '')
    expect(again.stdout).toContain('it was redriven before, by eve')
    expect(again.code).toBe(1)
  })

  it('discards, for a reason that stays on record', async () => {
    expect((await dlq('discard', '--all')).code).toBe(2)
    const dry = await dlq('discard', '--all', '--reason', 'nobody needs it', '--dry-run')
    expect(dry.stdout).toContain('1 dead letter would be discarded, 0 refused.')
    expect(await json<Letter[]>('list', '--status', 'discarded')).toEqual([])
    const { stdout, code } = await dlq('discard', '--all', '--reason', 'nobody needs it')
    expect([code, stdout]).toEqual([0, `discarded: ${ids[2]} (Other)\n1 dead letter discarded, 0 refused.\n`])
    expect(await json<Letter[]>('list', '--status', 'discarded')).toMatchObject([
      { id: ids[2], settled: { reason: 'nobody needs it' } },
    ])
  })

  it('says what is wrong with what it was asked', async () => {
    const nothing = await dlq('redrive')
    expect([nothing.code, nothing.stderr]).toEqual([2, expect.stringContaining('Say which dead letters')])
    const unknown = await dlq('show', 'workers/jobs/0/99')
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('has no dead letter')])
    expect((await dlq('show', 'nonsense')).stderr).toContain('GROUP/TOPIC/PARTITION/OFFSET')
    expect((await dlq('list', '--older-than', 'long')).stderr).toContain('90s, 15m, 2h or 30d')
    expect((await dlq('redrive', '--help')).stdout).toContain('Examples:')
  })
})
