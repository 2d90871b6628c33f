import { describe, expect, it } from 'vitest'
import { StateMap } from '../../../src/agents/session/state-map.ts'

const grown = (count: number, map = new StateMap<string, number>()) =>
  Array.from({ length: count }, (_, n) => n).reduce((before, n) => before.with(`k${n}`, n), map)

describe('StateMap', () => {
  it('keeps every entry in the order it came in, and stays as it was when it is changed', () => {
    const before = grown(200)
    const after = before.with('k3', 33).with('new', 1)
    expect([...before]).toEqual(Array.from({ length: 200 }, (_, n) => [`k${n}`, n]))
    expect([before.get('k3'), before.has('new'), before.size]).toEqual([3, false, 200])
    expect([after.get('k3'), after.get('new'), after.size]).toEqual([33, 1, 201])
    expect([...after.keys()].slice(-2)).toEqual(['k199', 'new'])
  })

  it('may grow in two directions from one place', () => {
    const base = grown(70)
    const one = base.with('a', 1).with('b', 2)
    const other = base.with('b', 3)
    const again = base.with('a', 4).with('c', 5)
    expect([one.get('a'), one.get('b'), one.has('c')]).toEqual([1, 2, false])
    expect([other.has('a'), other.get('b'), other.size]).toEqual([false, 3, 71])
    expect([again.get('a'), again.has('b'), again.get('c')]).toEqual([4, false, 5])
    expect([...other.keys()].at(-1)).toBe('b')
    expect(base.size).toBe(70)
  })

  it('begins with what another map has', () => {
    const map = new StateMap(new Map([...grown(100)])).with('k64', 0)
    expect([map.size, map.get('k64'), map.get('k99')]).toEqual([100, 0, 99])
  })
})
