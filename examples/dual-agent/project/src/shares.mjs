/**
 * Splits an amount by weights: splitCents(1000, [1, 1]) → [500, 500].
 * The parts always add up to the amount.
 */
export function splitCents(_total, _weights) {
  throw new Error('splitCents is still to be written')
}
