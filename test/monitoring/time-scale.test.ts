import { describe, expect, it } from 'vitest'

/* The page's own file, as the browser gets it. */

interface Stretch {
  readonly startMs: number
  readonly endMs: number
}
interface Mark {
  readonly at: number
  readonly label: string
}
type TimeScale = { position(atMs: number): number; readonly ticks: readonly Mark[]; readonly cuts: readonly Mark[] }
const file: string = new URL('../../src/monitoring/page/time-scale.js', import.meta.url).href
const { timeScale } = (await import(file)) as { timeScale(whole: Stretch, busy: readonly Stretch[]): TimeScale }

const MINUTE = 60_000
const NIGHT = 8 * 60 * MINUTE

describe('the time line', () => {
  it('is even where work goes on', () => {
    const scale = timeScale({ startMs: 0, endMs: 10_000 }, [{ startMs: 1000, endMs: 10_000 }])
    expect([0, 2500, 10_000].map(scale.position)).toEqual([0, 0.25, 1])
    expect(scale.ticks.map(({ label }) => label)).toEqual(['0', '2 s', '4 s', '6 s', '8 s'])
    expect(scale.cuts).toEqual([])
  })

  it('cuts a night in which nothing ran, so that the work before and after it stays readable', () => {
    const whole = { startMs: 0, endMs: NIGHT + 2 * MINUTE }
    const morning = { startMs: NIGHT + MINUTE, endMs: whole.endMs }
    const scale = timeScale(whole, [{ startMs: 0, endMs: MINUTE }, morning])
    expect(scale.cuts).toEqual([{ at: 0.5, label: '8 h' }])
    expect(scale.position(MINUTE)).toBeCloseTo(0.485)
    expect(scale.position(morning.startMs)).toBeCloseTo(0.515)
    expect(scale.position(whole.endMs)).toBe(1)
  })

  it('never goes back, stays within its edges, and puts no two labels upon each other', () => {
    const busy = Array.from({ length: 50 }, (_, index) => ({
      startMs: index * index * 70,
      endMs: index * index * 70 + 700,
    }))
    const whole = { startMs: 0, endMs: 3 * MINUTE }
    const scale = timeScale(whole, busy)
    const positions = Array.from({ length: 200 }, (_, index) => scale.position((index * whole.endMs) / 150))
    expect(positions).toEqual(positions.toSorted((a, b) => a - b))
    expect([positions[0], positions.at(-1)]).toEqual([0, 1])
    const ticks = scale.ticks.map(({ at }) => at)
    expect(ticks.length).toBeGreaterThan(0)
    for (const [index, at] of ticks.slice(1).entries()) expect(at - ticks[index]!).toBeGreaterThanOrEqual(0.1)
  })

  it('stands also before anything ran', () => {
    const scale = timeScale({ startMs: 5, endMs: 6 }, [])
    expect([scale.position(5), scale.position(6), scale.cuts]).toEqual([0, 1, []])
  })
})
