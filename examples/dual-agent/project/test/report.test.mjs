import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { report } from '../src/report.mjs'

test('shows every person and every payment, in columns', () => {
  const trip = {
    name: 'Day at the lake',
    people: ['Ana', 'Benedikt'],
    expenses: [{ what: 'Boat', paidBy: 'Ana', amount: '40.00' }],
  }
  assert.equal(
    report(trip),
    [
      'Day at the lake',
      '  Ana       paid   40.00   share   20.00',
      '  Benedikt  paid    0.00   share   20.00',
      'To settle',
      '  Benedikt pays Ana 20.00',
      '',
    ].join('\n'),
  )
})

test('says so when nobody owes anything', () => {
  const trip = { name: 'Walk', people: ['Ana', 'Ben'], expenses: [] }
  assert.match(report(trip), /To settle\n {2}nothing: everybody is even\n$/)
})

test('the command line prints the report of a file', () => {
  const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url))
  const printed = execFileSync(process.execPath, [path('src/cli.mjs'), path('trip.json')], { encoding: 'utf8' })
  assert.match(printed, /^Lisbon, four days\n/)
  assert.match(printed, / {2}Caro pays Ana 118\.30\n/)
})
