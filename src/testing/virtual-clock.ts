import type { Clock } from '../core/clock.ts'
import type { RandomBytes } from '../core/ids.ts'

/** A clock that goes only when told to. Whoever waits by it (timers, retries) goes on as soon as it was moved. */
export interface VirtualClock extends Clock {
  /** Lets time go on. */
  advance(ms: number): void
  /** Sets the clock, also back: what a wrong clock that is put right looks like. */
  set(nowMs: number): void
  /** Resolves when it was moved on by so much, or the signal fires; never rejects. */
  after(ms: number, signal?: AbortSignal): Promise<void>
}

interface Waiter {
  readonly dueMs: number
  readonly resume: () => void
}

/**
 * A clock that stands still until it is moved.
 *
 * @param startMs Unix milliseconds; default 2026-01-01T00:00:00.000Z.
 */
export function virtualClock(startMs: number = Date.UTC(2026, 0, 1)): VirtualClock {
  let now = startMs
  const waiting = new Set<Waiter>()
  const set = (nowMs: number) => {
    now = nowMs
    for (const waiter of [...waiting]) if (waiter.dueMs <= now) waiter.resume()
  }
  return {
    now: () => now,
    set,
    advance: (ms) => {
      if (!(ms >= 0)) throw new RangeError(`advance goes forward only, not by ${ms} ms; set(nowMs) puts a clock back.`)
      set(now + ms)
    },
    after: (ms, signal) => {
      if (ms <= 0 || signal?.aborted) return Promise.resolve()
      return new Promise((resolve) => {
        const resume = () => {
          waiting.delete(waiter)
          signal?.removeEventListener('abort', resume)
          resolve()
        }
        const waiter = { dueMs: now + ms, resume }
        waiting.add(waiter)
        signal?.addEventListener('abort', resume)
      })
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
