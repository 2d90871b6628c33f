import assert from 'node:assert/strict'
import { test } from 'node:test'
import { balances, settle } from '../src/settle.mjs'

const trip = {
  people: ['Ana', 'Ben', 'Caro'],
  expenses: [
    { what: 'Flat', paidBy: 'Ana', amount: '90.00' },
    { what: 'Boat for two', paidBy: 'Ben', amount: '19.90', shares: { Ben: 1, Caro: 1 } },
  ],
}

test('sums up what each paid and what each owes', () => {
  assert.deepEqual(balances(trip), [
    { person: 'Ana', paid: 9000, share: 3000, balance: 6000 },
    { person: 'Ben', paid: 1990, share: 3995, balance: -2005 },
    { person: 'Caro', paid: 0, share: 3995, balance: -3995 },
  ])
})

test('the largest debt is paid first', () => {
  assert.deepEqual(settle(balances(trip)), [
    { from: 'Caro', to: 'Ana', cents: 3995 },
    { from: 'Ben', to: 'Ana', cents: 2005 },
  ])
})

test('one debt may go to several people', () => {
  const accounts = [
    { person: 'Ana', balance: 700 },
    { person: 'Ben', balance: -1000 },
    { person: 'Caro', balance: 300 },
  ]
  assert.deepEqual(settle(accounts), [
    { from: 'Ben', to: 'Ana', cents: 700 },
    { from: 'Ben', to: 'Caro', cents: 300 },
  ])
})

test('nothing is paid when everybody is even', () => {
  assert.deepEqual(settle([{ person: 'Ana', balance: 0 }]), [])
})

test('names the expense whose payer did not travel', () => {
  const stranger = { people: ['Ana'], expenses: [{ what: 'Taxi', paidBy: 'Zoe', amount: '9.00' }] }
  assert.throws(() => balances(stranger), /Taxi.*Zoe/)
})
