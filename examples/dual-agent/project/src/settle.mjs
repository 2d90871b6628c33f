/** Per person: what they paid, what their share is, and the balance (above zero: money comes back), all in cents. */
export function balances(_trip) {
  throw new Error('balances is still to be written')
}

/** The payments that make everybody even: [{ from, to, cents }], the largest debts first, fewer than there are people. */
export function settle(_accounts) {
  throw new Error('settle is still to be written')
}
