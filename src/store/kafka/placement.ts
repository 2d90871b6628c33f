import type { PlacedBatch } from '../../kafka/driver.ts'

/*
 * Where the records of a transaction lie, held against the picture they were judged by. Pure.
 *
 * W6 The broker tells at which offset it put them. If they follow on what was read, the picture was the whole log; if not, something
 *    lies between that was not known: a fetch from a leader that has just begun, or leads no more, does not show all there is.
 *    A transaction without events has no such witness; it relies on one before it, since the last takeover (docs/internals/kafka.md,
 *    "Not guaranteed").
 */

export interface Expected {
  /** The position up to which the log was read. */
  readonly readTo: number
  /** Behind this writer's own last records; a marker of their transaction follows them, and nothing can lie before it. */
  readonly ownEnd: number
}

export type Placement = 'follows' | 'behind a gap' | 'in another log'

export function placementOf(own: readonly PlacedBatch[], { readTo, ownEnd }: Expected): Placement {
  const batches = [...own].sort((one, other) => one.baseOffset - other.baseOffset)
  const first = batches[0]
  if (first === undefined) return 'follows'
  if (first.baseOffset < readTo) return 'in another log'
  const behindMarker = readTo === ownEnd && first.baseOffset === readTo + 1
  let next = behindMarker ? readTo + 1 : readTo
  for (const { baseOffset, lastOffset } of batches) {
    if (baseOffset !== next) return 'behind a gap'
    next = lastOffset + 1
  }
  return 'follows'
}

export function endOf(own: readonly PlacedBatch[], otherwise: number): number {
  return own.reduce((end, { lastOffset }) => Math.max(end, lastOffset + 1), otherwise)
}
