import { expect, it } from 'vitest'
import type { Line } from './journal.ts'
import { reportOf } from './report.ts'
import type { WriterProcess } from './writers.ts'

/* The stall of a death is looked at apart while brokers that were just started are slow by themselves. */

const START_MS = 1_000_000

function waited(key: string, atMs: number, forMs: number): readonly Line[] {
  return [
    { kind: 'ask', key, stream: 's', events: 1, atMs: START_MS + atMs },
    { kind: 'ack', key, version: 1, atMs: START_MS + atMs + forMs },
  ]
}

function stallsAfter(calmMs: number) {
  const lines = [...waited('a', 2000, 1900), ...waited('b', 20_000, 600), ...waited('c', 70_000, 3000)]
  const kills = [2000, 20_000, 70_000].map((atMs) => ({ atMs: START_MS + atMs, target: 0 }))
  const evidence = {
    journals: [lines],
    events: [{ stream: 's', version: 1, key: 'a', index: 0, partition: 0, offset: 0 }],
    messages: [],
  }
  return reportOf({
    run: { seed: 's', totalMs: 90_000, brokers: 1, openNetwork: () => Promise.reject(new Error('not used')) },
    log: { fromMs: START_MS, calmUntilMs: START_MS + calmMs, kills, faults: [], failures: [] },
    writers: [{ freezes: [], lives: 1 } as unknown as WriterProcess],
    evidence,
    counts: {
      asked: 3,
      acknowledged: 3,
      found: 3,
      lost: 0,
      repeated: 0,
      refused: 0,
      refusedButFound: 0,
      unanswered: 0,
    },
    violations: [],
  }).stalls
}

it('what happened in the first 15 s of a long run is shown beside what came then', () => {
  const stalls = stallsAfter(60_000)
  expect(stalls.whileCold).toEqual({ deaths: 1, medianMs: 1900, longestMs: 1900 })
  expect(stalls.afterDeath).toEqual({ deaths: 1, medianMs: 600, longestMs: 600 })
  expect(stalls.longestMs).toBe(3000)
})

it('a short run is looked at whole', () => {
  const stalls = stallsAfter(25_000)
  expect(stalls.afterDeath).toEqual({ deaths: 2, medianMs: 1900, longestMs: 1900 })
  expect(stalls.whileCold).toEqual({ deaths: 0, medianMs: 0, longestMs: 0 })
})
