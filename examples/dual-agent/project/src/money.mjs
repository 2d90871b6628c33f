/** '12.50' → 1250. Text that is not an amount with at most two decimals is a TypeError. */
export function parseMoney(text) {
  return parseFloat(text) * 100
}

/** 1250 → '12.50' */
export function formatMoney(cents) {
  return String(cents / 100)
}
