/**
 * Splits an amount by weights: splitCents(1000, [1, 1]) → [500, 500].
 * The parts always add up to the amount.
 */
export function splitCents(total, weights) {
  const sum = weights.reduce((a, b) => a + b, 0)
  if (sum === 0) throw new RangeError('the weights add up to nothing')
  return weights.map((weight) => Math.round((total * weight) / sum))
}
