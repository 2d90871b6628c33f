import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dieOften, dieOnceAt, points, RANDOM_KILLS } from './crash-run.ts'
import { dieParked } from './parked-run.ts'

/** V1, P2, P5, P6: real processes, really killed, between any two steps of handle → append → commit. */

const newLog = (folder: string) => `file:${join(folder, 'run.db')}?leaseMs=1000`
const filePoints = [
  ['file.commit.begun', 12],
  ['file.commit.written', 12],
  ['file.commit.done', 12],
  ['file.commit.answered', 12],
] as const

describe('killed at a named point, started again', () => {
  it.each([...points, ...filePoints])('%s, time %i: nothing is lost, nothing happens twice', async (point, count) => {
    expect(await dieOnceAt(newLog, point, count)).toEqual({ killed: 1, violations: [] })
  })

  it('while a message is parked: the next owner begins with it, then what was behind it, and no fact is doubled', ({
    onTestFinished,
  }) => dieParked(newLog, onTestFinished))
})

describe('killed at random', () => {
  const seed = Number(process.env.DUOLOG_SEED ?? Math.floor(Math.random() * 2 ** 31))
  it(`${RANDOM_KILLS} times, then left to finish (DUOLOG_SEED=${seed})`, {
    timeout: RANDOM_KILLS * 60_000,
  }, async () => {
    const { killed, violations } = await dieOften(newLog, seed, RANDOM_KILLS)
    expect(violations).toEqual([])
    expect(killed).toBeGreaterThanOrEqual(RANDOM_KILLS)
  })
})
