import { randomFillSync } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import type { RandomBytes } from '../core/ids.ts'

/*
 * The real time and the real randomness: what stands behind the doors of `StoreOptions` unless a test holds them.
 */

export const systemClock: Clock = { now: () => Date.now() }

const pool = new Uint8Array(4096)
let used = pool.length

/** Random bytes from a pool: one call into the system for 256 ids. The view is valid until the next call. */
export const systemRandom: RandomBytes = (size) => {
  if (used + size > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  used += size
  return pool.subarray(used - size, used)
}
