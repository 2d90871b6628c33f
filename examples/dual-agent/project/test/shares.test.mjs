import assert from 'node:assert/strict'
import { test } from 'node:test'
import { splitCents } from '../src/shares.mjs'

const sum = (parts) => parts.reduce((total, part) => total + part, 0)

test('splits evenly', () => {
  assert.deepEqual(splitCents(1000, [1, 1]), [500, 500])
})

test('splits by weights', () => {
  assert.deepEqual(splitCents(36000, [3, 3, 2]), [13500, 13500, 9000])
})

test('gives nothing to a weight of zero', () => {
  assert.deepEqual(splitCents(700, [1, 0]), [700, 0])
})

test('loses no cent when 10.00 is split in three', () => {
  assert.equal(sum(splitCents(1000, [1, 1, 1])), 1000)
})

test('invents no cent when 0.50 is split in four', () => {
  assert.equal(sum(splitCents(50, [1, 1, 1, 1])), 50)
})

test('gives the cent left over to whoever is rounded down most', () => {
  assert.deepEqual(splitCents(1000, [1, 1, 1]), [334, 333, 333])
  assert.deepEqual(splitCents(100, [1, 2]), [33, 67])
})

test('refuses weights that add up to nothing', () => {
  assert.throws(() => splitCents(1000, []), RangeError)
  assert.throws(() => splitCents(1000, [0, 0]), RangeError)
})
