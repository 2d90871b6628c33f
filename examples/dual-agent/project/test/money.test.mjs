import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatMoney, parseMoney } from '../src/money.mjs'

test('reads whole amounts and amounts with cents', () => {
  assert.equal(parseMoney('12'), 1200)
  assert.equal(parseMoney('12.5'), 1250)
  assert.equal(parseMoney('12.50'), 1250)
})

test('reads exact cents where floating point does not', () => {
  assert.equal(parseMoney('19.99'), 1999)
  assert.equal(parseMoney('1.15'), 115)
})

test('keeps the sign of a refund', () => {
  assert.equal(parseMoney('-0.30'), -30)
})

for (const text of ['', 'free', '12.345', '12,50', '1e3']) {
  test(`refuses '${text}'`, () => {
    assert.throws(() => parseMoney(text), TypeError)
  })
}

test('always writes two decimals', () => {
  assert.equal(formatMoney(1250), '12.50')
  assert.equal(formatMoney(5), '0.05')
  assert.equal(formatMoney(-30), '-0.30')
})
