/**
 * Splits an amount by weights: splitCents(1000, [1, 1]) → [500, 500].
 * The parts always add up to the amount: all are rounded down, and the cents left over go, one each, to those who
 * were rounded down most.
 */
export function splitCents(total, weights) {
  const sum = weights.reduce((a, b) => a + b, 0)
  if (sum === 0) throw new RangeError('the weights add up to nothing')
  const parts = weights.map((weight) => Math.floor((total * weight) / sum))
  const left = total - parts.reduce((a, b) => a + b, 0)
  for (const index of mostRoundedDown(total, weights, sum).slice(0, left)) parts[index] += 1
  return parts
}

function mostRoundedDown(total, weights, sum) {
  const remainders = weights.map((weight) => (total * weight) % sum)
  return [...weights.keys()].sort((a, b) => remainders[b] - remainders[a] || a - b)
}
