import { parseMoney } from './money.mjs'
import { splitCents } from './shares.mjs'

/** Per person: what they paid, what their share is, and the balance (above zero: money comes back), all in cents. */
export function balances(trip) {
  const accounts = new Map(trip.people.map((person) => [person, { person, paid: 0, share: 0, balance: 0 }]))
  for (const expense of trip.expenses) book(accounts, expense)
  return [...accounts.values()].map((account) => ({ ...account, balance: account.paid - account.share }))
}

function book(accounts, { what, paidBy, amount, shares }) {
  const accountOf = (person) => {
    if (!accounts.has(person)) throw new RangeError(`${what}: ${person} is not one of the travellers`)
    return accounts.get(person)
  }
  const weights = shares ?? Object.fromEntries([...accounts.keys()].map((person) => [person, 1]))
  const cents = parseMoney(amount)
  accountOf(paidBy).paid += cents
  const parts = splitCents(cents, Object.values(weights))
  Object.keys(weights).forEach((person, index) => {
    accountOf(person).share += parts[index]
  })
}

/** The payments that make everybody even: [{ from, to, cents }], the largest debts first, fewer than there are people. */
export function settle(accounts) {
  const debtors = open(accounts, (balance) => -balance)
  const creditors = open(accounts, (balance) => balance)
  const payments = []
  while (debtors.length > 0 && creditors.length > 0) {
    payments.push(pay(debtors[0], creditors[0]))
    if (debtors[0].cents === 0) debtors.shift()
    if (creditors[0].cents === 0) creditors.shift()
  }
  return payments
}

function open(accounts, amountOf) {
  return accounts
    .map(({ person, balance }) => ({ person, cents: amountOf(balance) }))
    .filter(({ cents }) => cents > 0)
    .sort((a, b) => b.cents - a.cents)
}

function pay(debtor, creditor) {
  const cents = Math.min(debtor.cents, creditor.cents)
  debtor.cents -= cents
  creditor.cents -= cents
  return { from: debtor.person, to: creditor.person, cents }
}
