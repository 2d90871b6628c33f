import { expect, it } from 'vitest'
import { placementOf } from '../../src/store/kafka/placement.ts'

const at = (baseOffset: number, lastOffset = baseOffset) => ({ topic: 't', partition: 0, baseOffset, lastOffset })

it.each([
  { placed: [], readTo: 7, ownEnd: 3, placement: 'follows' },
  { placed: [at(7, 9)], readTo: 7, ownEnd: 3, placement: 'follows' },
  { placed: [at(10, 11), at(7, 9)], readTo: 7, ownEnd: 3, placement: 'follows' },
  { placed: [at(8)], readTo: 7, ownEnd: 7, placement: 'follows' }, // the marker behind our own last record
  { placed: [at(8)], readTo: 7, ownEnd: 6, placement: 'behind a gap' },
  { placed: [at(9)], readTo: 7, ownEnd: 7, placement: 'behind a gap' },
  { placed: [at(7), at(9)], readTo: 7, ownEnd: 3, placement: 'behind a gap' },
  { placed: [at(6)], readTo: 7, ownEnd: 3, placement: 'in another log' },
])('W6 $placed behind $readTo (own end $ownEnd): $placement', ({ placed, readTo, ownEnd, placement }) => {
  expect(placementOf(placed, { readTo, ownEnd })).toBe(placement)
})
