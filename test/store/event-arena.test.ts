import fc from 'fast-check'
import { expect, it } from 'vitest'
import { EventArena } from '../../src/store/kafka/event-arena.ts'
import type { EventRow } from '../../src/store/sqlite/rows.ts'

const text = fc.string({ unit: 'binary', maxLength: 40 })
const rows = fc.array(
  fc.record({
    offset: fc.maxSafeNat(),
    version: fc.integer({ min: 1, max: 2 ** 31 }),
    texts: fc.tuple(text, text, text),
    rest: fc.tuple(fc.option(text), fc.option(text), fc.option(text)),
    data: fc.oneof({ weight: 9, arbitrary: text }, { weight: 1, arbitrary: fc.constant('ä'.repeat(700_000)) }),
  }),
  { maxLength: 30 },
)

it('M1 what comes out is what went in, whatever the texts are and however long', () => {
  fc.assert(
    fc.property(rows, (given) => {
      const arena = new EventArena()
      const all = given.map(({ offset, version, texts: [id, type, time], rest, data }, index): EventRow => {
        return [offset, id, type, version, time, ...rest, data, index + 1, offset]
      })
      const places = all.map((row) => arena.add(row))
      expect(places.map((place, index) => arena.rowAt(place, index + 1))).toEqual(all)
    }),
    { numRuns: 200 },
  )
})

it('M1 a block that is full leaves what is in it as it is', () => {
  const arena = new EventArena()
  const row = (n: number): EventRow => [n, `id-${n}`, 'T', 1, 't', null, '', '{}', 'x'.repeat(900), 1, n]
  const places = Array.from({ length: 5000 }, (_, n) => arena.add(row(n)))
  expect(places.map((place) => arena.rowAt(place, 1))).toEqual(Array.from({ length: 5000 }, (_, n) => row(n)))
})
