import { formatMoney } from './money.mjs'
import { balances, settle } from './settle.mjs'

/** The text everybody reads: one line per person, one line per payment. */
export function report(trip) {
  const accounts = balances(trip)
  const width = Math.max(...trip.people.map((person) => person.length))
  const people = accounts.map((account) => personLine(account, width))
  return [trip.name, ...people, 'To settle', ...paymentLines(settle(accounts)), ''].join('\n')
}

function personLine({ person, paid, share }, width) {
  const column = (cents) => formatMoney(cents).padStart(7)
  return `  ${person.padEnd(width)}  paid ${column(paid)}   share ${column(share)}`
}

function paymentLines(payments) {
  if (payments.length === 0) return ['  nothing: everybody is even']
  return payments.map(({ from, to, cents }) => `  ${from} pays ${to} ${formatMoney(cents)}`)
}
