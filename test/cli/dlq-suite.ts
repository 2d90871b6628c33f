import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listDeadLetters } from '../../src/processing/dead-letters.ts'
import { startProcessor } from '../../src/processing/start-processor.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { type LogKind, until } from '../processing/logs.ts'
import { type Ended, type Folder, newFolder, plain } from './duolog.ts'

export interface Letter {
  readonly id: string
  readonly key: string
  readonly status: string
  readonly settled?: { readonly by: string; readonly reason?: string }
}

/** A log with three letters: two of key a, one of b. */
export interface Desk {
  readonly store: EventStore
  /** The letters in order. */
  readonly ids: readonly [string, string, string]
  /** What the handler did when it could. */
  readonly seen: readonly string[]
  readonly dlq: (...args: string[]) => Promise<Ended>
  readonly json: <T = readonly Letter[]>(...args: string[]) => Promise<T>
}

/** Set up before all tests of the file or of its `describe`. */
export function deskOn(log: LogKind): () => Desk {
  let folder: Folder
  let desk: Desk | undefined
  beforeAll(async () => {
    folder = newFolder()
    desk = await setUp(folder, log.newUrl(folder.path))
  })
  afterAll(async () => {
    await desk?.store.close()
    folder.remove()
  })
  return () => desk as Desk
}

async function setUp(folder: Folder, url: string): Promise<Desk> {
  const store = await openEventStore(url, { topics: { jobs: { partitions: 1 } } })
  const seen: string[] = []
  let broken = true
  const send = (key: string, n: number) => ({ topic: 'jobs', key, type: n === 3 ? 'Other' : 'Job', data: { n } })
  // One by one: on Kafka an end of a transaction has an offset too.
  for (const message of [send('a', 1), send('a', 2), send('b', 3)]) {
    await store.appendToStream('s', [], { outgoing: [message] })
  }
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
  const ids = (await listDeadLetters(store, 'jobs')).map(({ id }) => id) as unknown as Desk['ids']
  broken = false
  const dlq: Desk['dlq'] = (...args) => folder.run(['dlq', ...args, '--log', url])
  const json: Desk['json'] = (...args) => folder.json(['dlq', ...args, '--log', url])
  return { store, ids, seen, dlq, json }
}

/** What a person does with dead letters, on any log. */
export function dlqSuite({ name }: LogKind, desk: () => Desk): void {
  describe(`duolog dlq: ${name}`, () => {
    it('lists', async () => {
      const { dlq, ids } = desk()
      const { stdout, code } = await dlq('list')
      expect(code).toBe(0)
      const [first, ...others] = plain(stdout).trim().split('\n').slice(-3)
      expect(first).toMatch(/^\S+ +Job +a +\S+ \S+ +1 +0 +open +TypeError: cannot do it/)
      expect([first, ...others].map((line) => line?.split(' ')[0])).toEqual(ids)
      expect(ids[0]).toMatch(/^workers\/jobs\/0\/\d+$/)
    })

    it('shows one whole', async () => {
      const { dlq, ids } = desk()
      const { stdout } = await dlq('show', ids[1])
      expect(stdout).toContain(`id         ${ids[1]}\n`)
      expect(stdout).toContain('error      TypeError: cannot do it')
      expect(stdout).toContain('"n": 2')
    })

    it('redrives: first what would be, then in order, by whom; settled ones are refused', async () => {
      const { dlq, json, ids, seen } = desk()
      const dry = await dlq('redrive', '--topic', 'jobs', '--key', 'a', '--dry-run')
      expect(dry.stdout).toContain('2 dead letters would be redriven, 0 refused.')
      const late = await dlq('redrive', ids[1])
      expect(late.code).toBe(1)
      expect(late.stdout).toContain(`refused: ${ids[1]}: "${ids[0]}", before it with the same key, stays open`)
      const { redriven } = await json<{ redriven: Letter[] }>('redrive', '--key', 'a', '--by', 'eve')
      expect(redriven.map(({ id }) => id)).toEqual(ids.slice(0, 2))
      await until(() => seen.length === 2)
      expect(seen).toEqual(['a1', 'a2'])
      const again = await dlq('redrive', ids[0])
      expect(again.stdout).toContain('it was redriven before, by eve')
      expect(again.code).toBe(1)
    })

    it('discards, for a reason that stays on record', async () => {
      const { dlq, json, ids } = desk()
      const { stdout, code } = await dlq('discard', '--all', '--reason', 'nobody needs it')
      expect([code, stdout]).toEqual([0, `discarded: ${ids[2]} (Other)\n1 dead letter discarded, 0 refused.\n`])
      expect(await json('list', '--status', 'discarded')).toMatchObject([
        { id: ids[2], settled: { reason: 'nobody needs it' } },
      ])
    })
  })
}
