import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openSqliteStore } from '../../../src/store/sqlite/sqlite-store.ts'
import { startProgram } from '../../support/program.ts'
import { type TempLog, tempLog } from './temp-log.ts'

describe('N1 killed around a snapshot', () => {
  let log: TempLog
  beforeEach(() => {
    log = tempLog()
  })
  afterEach(() => log.remove())

  it.each(['store.snapshot.saving', 'store.snapshot.saved'])(
    'at %s: every fact is there, and the fold is right',
    async (dieAt) => {
      const child = startProgram(new URL('./snapshot-main.ts', import.meta.url), { path: log.path, dieAt })
      expect((await child.ended).signal).toBe('SIGKILL')
      const acknowledged = child.lines.length
      expect(acknowledged).toBeGreaterThanOrEqual(9)
      const store = await openSqliteStore({ path: log.path })
      const fold = { initialState: () => 0, evolve: (sum: number, { data }: { data: unknown }) => sum + Number(data) }
      const snapshot = { name: 'sum', version: 1, every: 10 }
      const kept = await store.snapshots.load('sum', 's')
      expect(kept === undefined).toBe(dieAt === 'store.snapshot.saving')
      const { state, currentStreamVersion } = await store.aggregateStream('s', { ...fold, snapshot })
      expect(currentStreamVersion).toBeGreaterThanOrEqual(acknowledged)
      expect(state).toBe((currentStreamVersion * (currentStreamVersion + 1)) / 2)
      expect(await store.aggregateStream('s', fold)).toMatchObject({ state })
      await store.close()
    },
  )
})
