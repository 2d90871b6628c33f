import { describe, expect, it } from 'vitest'
import type { Line } from './journal.ts'
import { afterDeaths, longest, median, stallsOf } from './stalls.ts'

const partitions = new Map([
  ['s', 0],
  ['t', 1],
])

function append(key: string, stream: string, askedMs: number, atMs: number): readonly Line[] {
  return [
    { kind: 'ask', key, stream, events: 1, atMs: askedMs },
    { kind: 'ack', key, version: 1, atMs },
  ]
}

describe('stalls', () => {
  it('are the time in which somebody waited and nobody of the partition was answered', () => {
    const patient = { freezes: [], lines: [...append('a', 's', 0, 10), ...append('b', 's', 20, 900)] }
    const newcomer = { freezes: [], lines: append('c', 's', 700, 800) }
    const elsewhere = { freezes: [], lines: append('d', 't', 300, 310) }
    const stalls = stallsOf([patient, newcomer, elsewhere], partitions)
    expect(stalls).toContainEqual({ partition: 0, fromMs: 20, toMs: 800 })
    expect(longest(stalls)).toBe(780)
  })

  it('leave out who was frozen, and times in which nobody asked', () => {
    const frozen = { freezes: [{ fromMs: 100, toMs: 9000 }], lines: append('a', 's', 50, 9100) }
    const idle = { freezes: [], lines: [...append('b', 's', 60, 70), ...append('c', 's', 5000, 5020)] }
    expect(longest(stallsOf([frozen, idle], partitions))).toBe(20)
  })

  it('belong to the death they follow', () => {
    const stalls = [
      { partition: 0, fromMs: 100, toMs: 400 },
      { partition: 0, fromMs: 5000, toMs: 5050 },
    ]
    const deaths = [90, 4990, 8000].map((atMs) => ({ atMs, target: 0 }))
    expect(afterDeaths(stalls, deaths, 1000)).toEqual([300, 50, 0])
    expect(median([300, 50, 0])).toBe(50)
  })
})
