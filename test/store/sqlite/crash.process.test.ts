import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startProgram } from '../../support/program.ts'
import type { AppendProgram } from './append-program.ts'
import { audit } from './log-audit.ts'
import { type TempLog, tempLog } from './temp-log.ts'

/** P2, P3, P4: real processes, really killed. */

const EVENTS_PER_APPEND = 2

let log: TempLog
beforeEach(() => {
  log = tempLog()
})
afterEach(() => log.remove())

function program(more: Partial<AppendProgram> = {}): AppendProgram {
  return { path: log.path, name: 'p', callers: 8, appendsPerCaller: 25, streams: 3, ...more }
}

function run(more: Partial<AppendProgram> = {}) {
  return startProgram(new URL('./append-program.ts', import.meta.url), program(more))
}

describe('killed at a named point', () => {
  const points: [string, number][] = [
    ['file.open.empty', 1],
    ['file.open.filled', 1],
    ['file.open.created', 1],
    ['file.commit.begun', 1],
    ['file.commit.begun', 9],
    ['file.commit.written', 9],
    ['file.commit.done', 9],
    ['file.commit.answered', 9],
  ]
  it.each(points)('%s, time %i: nothing acknowledged is lost, nothing is half there', async (dieAt, dieAtCount) => {
    const first = run({ dieAt, dieAtCount })
    expect((await first.ended).signal).toBe('SIGKILL')
    const second = run({ name: 'q' })
    expect(await second.ended).toMatchObject({ code: 0, errors: '' })
    const lines = [...first.lines, ...second.lines]
    const { appends } = await audit({ path: log.path, lines, eventsPerAppend: EVENTS_PER_APPEND })
    expect(appends).toBeGreaterThan(0)
  })

  it('after the commit, before the answer: the append is there though nobody heard of it', async () => {
    const first = run({ callers: 1, dieAt: 'file.commit.done', dieAtCount: 4 })
    await first.ended
    const heard = first.lines.filter((line) => line.startsWith('acknowledged ')).length
    const { appends } = await audit({ path: log.path, lines: first.lines, eventsPerAppend: EVENTS_PER_APPEND })
    expect(appends).toBe(heard + 1)
  })
})

describe('killed at random', () => {
  const seed = Number(process.env.DUOLOG_SEED ?? Math.floor(Math.random() * 2 ** 31))
  it(`ten times, with another process writing on (DUOLOG_SEED=${seed})`, async () => {
    const random = mulberry32(seed)
    const survivor = run({ name: 'survivor', appendsPerCaller: 400 })
    const lines: string[] = []
    for (let round = 0; round < 10; round++) {
      const victim = run({ name: `v${round}`, appendsPerCaller: 100_000 })
      await victim.said('acknowledged')
      await new Promise((resolve) => setTimeout(resolve, random() * 60))
      victim.process.kill('SIGKILL')
      expect((await victim.ended).signal).toBe('SIGKILL')
      lines.push(...victim.lines)
    }
    expect(await survivor.ended).toMatchObject({ code: 0, errors: '' })
    lines.push(...survivor.lines)
    await audit({ path: log.path, lines, eventsPerAppend: EVENTS_PER_APPEND })
    expect(lines.filter((line) => line.startsWith('acknowledged survivor-')).length).toBeGreaterThan(0)
  })
})

it('P3 P4 four processes on one file: no error reaches anybody, every append is there once', async () => {
  const children = ['a', 'b', 'c', 'd'].map((name) => run({ name, appendsPerCaller: 50 }))
  for (const child of children) expect(await child.ended).toMatchObject({ code: 0, errors: '' })
  const lines = children.flatMap((child) => child.lines)
  const { appends } = await audit({ path: log.path, lines, eventsPerAppend: EVENTS_PER_APPEND })
  expect(appends).toBe(lines.filter((line) => line.startsWith('acknowledged ')).length)
  expect(lines.filter((line) => /^(acknowledged|refused) /.test(line)).length).toBe(4 * 8 * 50)
})

function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
