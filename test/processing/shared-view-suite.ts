import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { sqliteViews } from '../../src/processing/sqlite-views.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { type Child, startProgram } from '../support/program.ts'
import { type LogKind, until, workbench } from './logs.ts'
import type { SharedViewProgram } from './shared-view-program-main.ts'
import { type Tally, tallies } from './tallies.ts'

const STREAMS = Array.from({ length: 30 }, (_, n) => `s${n}`)

/** V1 V2 Real processes that keep one view in one SQLite file; one of them is really killed. */
export function sharedViewSuite(log: LogKind): void {
  const bench = workbench()

  describe(`one view of several processes: ${log.name}`, () => {
    async function setUp() {
      const folder = bench.folder()
      const [url, path] = [log.newUrl(folder), join(folder, 'views.db')]
      const store = await bench.open(url)
      const views = await sqliteViews(path)
      bench.later(() => views.close())
      const start = (more: Partial<SharedViewProgram> = {}) => {
        const child = startProgram(new URL('./shared-view-program-main.ts', import.meta.url), {
          url,
          views: path,
          ...more,
        })
        bench.later(() => child.process.kill('SIGKILL'))
        return child
      }
      const rows = async () => {
        const live = await views.openLive(tallies.name, tallies.version)
        const listed = await views.list(live)
        return Object.fromEntries(listed.map(({ key, row }) => [key, row as Tally]))
      }
      const shows = async (expected: Readonly<Record<string, Tally>>) => {
        await until(async () => JSON.stringify(sorted(await rows())) === JSON.stringify(sorted(expected)))
      }
      return { store, start, rows, shows }
    }

    it('each partition is applied by one at a time; what one leaves the other takes up', async () => {
      const { store, start, shows } = await setUp()
      const [one, two] = [start(), start()]
      await Promise.all([one.said('ready'), two.said('ready')])
      const isShared = async () => {
        await append(store, 1)
        return [one, two].every((child) => partitionsOf(child).length > 0)
      }
      await until(isShared)
      await append(store, 5)
      await shows(await inLog(store))
      const before = one.lines.length
      two.process.stdin?.end('stop\n')
      expect(await two.ended).toMatchObject({ code: 0 })
      await append(store, 3)
      await shows(await inLog(store))
      // What it says of what it did comes a moment after the view shows it.
      await expect.poll(() => one.lines.length, { timeout: 30_000 }).toBeGreaterThan(before)
      await expect.poll(() => holesIn([one, two]), { timeout: 30_000 }).toEqual([])
    })

    it.each([
      ['views.apply.written', 4],
      ['views.apply.committed', 4],
    ] as const)("one is killed at %s, time %i: the count is the log's", async (dieAt, dieAtCount) => {
      const { store, start, shows } = await setUp()
      const [survivor, victim] = [start(), start({ dieAt, dieAtCount })]
      await survivor.said('ready')
      let dead = false
      void victim.ended.then(() => {
        dead = true
      })
      while (!dead) await append(store, 1)
      expect((await victim.ended).signal).toBe('SIGKILL')
      await append(store, 2)
      await shows(await inLog(store))
      // What it says of what it did comes a moment after the view shows it.
      const all = Object.keys(await inLog(store)).sort()
      await expect.poll(() => partitionsOf(survivor), { timeout: 30_000 }).toEqual(all)
    })
  })
}

async function append(store: EventStore, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await Promise.all(STREAMS.map((stream) => store.appendToStream(stream, [{ type: 'Added', data: {} }])))
  }
}

/** What the whole log makes of the rows, asked of the streams. */
async function inLog(store: EventStore): Promise<Record<string, Tally>> {
  const rows: Record<string, Tally> = {}
  for await (const { stream } of store.listStreams()) {
    for await (const { partition, offset } of store.readStream(stream)) {
      const { count, offset: last } = rows[`p${partition}`] ?? { count: 0, offset: -1 }
      rows[`p${partition}`] = { count: count + 1, offset: Math.max(last, offset) }
    }
  }
  return rows
}

function sorted(rows: Readonly<Record<string, Tally>>): unknown {
  return Object.entries(rows).sort(([a], [b]) => (a < b ? -1 : 1))
}

interface Applied {
  readonly partition: string
  readonly from: number
  readonly to: number
}

function appliedBy({ lines }: Child): readonly Applied[] {
  return lines.flatMap((line) => {
    const [word, partition, from, to] = line.split(' ')
    return word === 'applied' ? [{ partition: `p${partition}`, from: Number(from), to: Number(to) }] : []
  })
}

function partitionsOf(child: Child): readonly string[] {
  return [...new Set(appliedBy(child).map(({ partition }) => partition))].sort()
}

/** Where what all of them applied is not one range after the other. */
function holesIn(children: readonly Child[]): readonly unknown[] {
  const all = children.flatMap(appliedBy).toSorted((a, b) => a.from - b.from || a.to - b.to)
  const reached = new Map<string, number>()
  return all.filter(({ partition, from, to }) => {
    const isNext = (reached.get(partition) ?? 0) === from
    reached.set(partition, to)
    return !isNext
  })
}
