import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { startInlineProjection } from '../../src/processing/inline-projection.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { startProgram } from '../support/program.ts'
import type { InlineProgram } from './inline-program-main.ts'
import { workbench } from './logs.ts'
import { type Counted, counts } from './projection-suite.ts'

/** I1: real processes on one file, really killed; the rows are what the whole log makes of them. */

interface Row {
  readonly count: number
  readonly sum: number
}

async function rowsOfLog(store: EventStore<Counted>): Promise<Record<string, Row>> {
  const { initialState, evolve, key } = counts()
  const rows: Record<string, Row> = {}
  for await (const { stream } of store.listStreams()) {
    let row: Row | undefined
    for await (const event of store.readStream(stream)) {
      if (key(event) !== undefined) row = evolve(row ?? initialState(), event)
    }
    if (row !== undefined) rows[stream] = row
  }
  return rows
}

/** What lies in the file, asked of nobody: `behind` is how many records the view has not seen. */
function inFile(path: string): { readonly rows: Record<string, Row>; readonly behind: number } {
  const db = new DatabaseSync(path, { readOnly: true })
  try {
    const rows = db.prepare('SELECT key, data FROM inline_rows').all()
    const behind = db.prepare('SELECT (SELECT max(position) FROM records) - position AS n FROM inline_views').get()
    return {
      rows: Object.fromEntries(rows.map(({ key, data }) => [String(key), JSON.parse(String(data)) as Row])),
      behind: Number(behind?.n),
    }
  } finally {
    db.close()
  }
}

describe('inline views of several processes on one file', () => {
  const bench = workbench()
  const run = (config: InlineProgram) => startProgram(new URL('./inline-program-main.ts', import.meta.url), config)

  it.each([
    ['inline.rows.written', 17],
    ['file.commit.begun', 17],
    ['file.commit.written', 17],
    ['file.commit.done', 17],
    ['file.commit.answered', 17],
  ] as const)('killed at %s, time %i: the rows in the file are the log', async (dieAt, dieAtCount) => {
    const path = join(bench.folder(), 'run.db')
    const config = { url: `file:${path}`, name: 'one', appends: 40, inline: true }
    const { signal } = await run({ ...config, dieAt, dieAtCount }).ended
    expect(signal).toBe('SIGKILL')
    const store = await bench.open<Counted>(config.url)
    const rows = await rowsOfLog(store)
    expect(Object.keys(rows).length).toBeGreaterThan(0)
    expect(inFile(path)).toEqual({ rows, behind: 0 })
    const { code, errors } = await run(config).ended
    expect({ code, errors }).toEqual({ code: 0, errors: '' })
    expect(inFile(path)).toEqual({ rows: await rowsOfLog(store), behind: 0 })
  })

  it('three append at once, one of them without the view, one killed: whoever reads sees the log', async () => {
    const path = join(bench.folder(), 'run.db')
    const config = { url: `file:${path}`, appends: 150, inline: true }
    const store = await bench.open<Counted>(config.url)
    const view = bench.running(await startInlineProjection({ store, projection: counts() }))
    const children = [
      run({ ...config, name: 'one' }),
      run({ ...config, name: 'two', inline: false }),
      run({ ...config, name: 'three', dieAt: 'inline.rows.written', dieAtCount: 60 }),
    ]
    const ends = await Promise.all(children.map(({ ended }) => ended))
    expect(ends.map(({ signal, errors }) => signal ?? errors)).toEqual(['', '', 'SIGKILL'])
    const acknowledged = children.reduce((sum, { lines }) => sum + lines.length, 0)
    const inLog = await Array.fromAsync(store.listStreams(), (stream) => stream.currentStreamVersion)
    expect(inLog.reduce((sum, version) => sum + version, 0)).toBe(acknowledged)
    const rows = await rowsOfLog(store)
    expect(Object.fromEntries((await view.list()).map(({ key, row }) => [key, row]))).toEqual(rows)
    expect(inFile(path)).toEqual({ rows, behind: 0 })
  })
})
