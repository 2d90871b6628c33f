import { percentile, settle, timed } from '../report.ts'
import type { Engine } from './engine.ts'

/* What every contender is measured with. */

export interface Size {
  /** Sessions one after the other. */
  readonly alone: number
  /** Callers at once, and sessions of each. */
  readonly callers: number
  readonly each: number
  /** Lengths of the long sessions. */
  readonly lengths: readonly number[]
  /** Sessions before the clock runs. */
  readonly warmUp: number
}

/** One line of what a contender's process prints. */
export type Figure =
  | { readonly row: 'alone'; readonly p50Ms: number; readonly p99Ms: number }
  | { readonly row: 'together'; readonly perSecond: number }
  | { readonly row: 'long'; readonly steps: number; readonly msPerStep: number }
  | { readonly row: 'memory'; readonly mb: number }
  /** So many steps are about to be recorded, or were: for whoever counts syncs from outside. */
  | { readonly row: 'begin'; readonly part: Part }
  | { readonly row: 'end'; readonly part: Part; readonly steps: number }

export type Part = 'alone' | 'together' | 'long'

export const STEPS = 3
const LEAST_STEPS = 1_000

export async function measure(engine: Engine, size: Size, say: (figure: Figure) => void): Promise<void> {
  const run = sessionsOf(engine)
  for (let n = 0; n < size.warmUp; n++) await run(STEPS)
  if (size.alone > 0) await alone(run, size, say)
  if (size.callers > 0) await together(run, size, say)
  if (size.lengths.length > 0) await long(run, size, say)
  say({ row: 'memory', mb: process.memoryUsage().rss / 1e6 })
}

async function long(run: (steps: number) => Promise<void>, size: Size, say: (figure: Figure) => void) {
  let all = 0
  say({ row: 'begin', part: 'long' })
  for (const steps of size.lengths) {
    // Short ones several times: a start does not outweigh the steps, and what is done every so many of them falls on all alike.
    const times = Math.max(1, Math.floor(LEAST_STEPS / steps))
    let ms = 0
    for (let n = 0; n < times; n++) ms += await timed(() => run(steps))
    say({ row: 'long', steps, msPerStep: ms / (steps * times) })
    all += steps * times
  }
  say({ row: 'end', part: 'long', steps: all })
}

function sessionsOf(engine: Engine): (steps: number) => Promise<void> {
  let number = 0
  return (steps) => engine.run(`${process.pid}-${number++}`, steps)
}

async function alone(run: (steps: number) => Promise<void>, size: Size, say: (figure: Figure) => void) {
  await settle()
  const latencies: number[] = []
  say({ row: 'begin', part: 'alone' })
  for (let n = 0; n < size.alone; n++) latencies.push(await timed(() => run(STEPS)))
  say({ row: 'end', part: 'alone', steps: size.alone * STEPS })
  say({ row: 'alone', p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99) })
}

async function together(run: (steps: number) => Promise<void>, size: Size, say: (figure: Figure) => void) {
  await settle()
  const caller = async () => {
    for (let n = 0; n < size.each; n++) await run(STEPS)
  }
  say({ row: 'begin', part: 'together' })
  const ms = await timed(() => Promise.all(Array.from({ length: size.callers }, caller)))
  say({ row: 'end', part: 'together', steps: size.callers * size.each * STEPS })
  say({ row: 'together', perSecond: (size.callers * size.each * 1000) / ms })
}
