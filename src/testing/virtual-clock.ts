import type { Clock } from '../core/clock.ts'
import type { RandomBytes } from '../core/ids.ts'

/** A clock that goes only when told to. */
export interface VirtualClock extends Clock {
  advance(ms: number): void
}

/** @param startMs Unix milliseconds; default 2026-01-01T00:00:00.000Z. */
export function virtualClock(startMs: number = Date.UTC(2026, 0, 1)): VirtualClock {
  let now = startMs
  return {
    now: () => now,
    advance: (ms) => {
      if (!(ms >= 0)) throw new RangeError(`A clock goes forward only, not by ${ms} ms.`)
      now += ms
    },
  }
}

/** Random bytes that are the same for the same seed (mulberry32): ids a test can expect. */
export function seededRandom(seed: number): RandomBytes {
  let state = seed >>> 0
  const nextByte = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) & 0xff
  }
  return (size) => Uint8Array.from({ length: size }, nextByte)
}
