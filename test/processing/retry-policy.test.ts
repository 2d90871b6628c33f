import { describe, expect, it } from 'vitest'
import { DuologError } from '../../src/core/errors.ts'
import { RetryPauses, type RetryPolicy } from '../../src/processing/retry-policy.ts'

const failed = new Error('failed')

/** The pauses until it gives up, each waited for by a clock that goes by nothing else. */
function pausesOf(policy: RetryPolicy, error: unknown = failed): number[] {
  const pauses = new RetryPauses(policy, 0)
  const waited: number[] = []
  for (let nowMs = 0; waited.length < 100; ) {
    const pauseMs = pauses.afterFailure(error, nowMs)
    if (pauseMs === undefined) break
    waited.push(pauseMs)
    nowMs += pauseMs
  }
  return waited
}

describe('the pauses of a retry policy', () => {
  it('double up to the longest, between half of it and the whole', () => {
    const policy = { maxAttempts: 8, firstPauseMs: 100, longestPauseMs: 1000 }
    for (let round = 0; round < 50; round++) {
      pausesOf(policy).forEach((pauseMs, index) => {
        const wholeMs = Math.min(1000, 100 * 2 ** index)
        expect(pauseMs).toBeGreaterThanOrEqual(wholeMs / 2)
        expect(pauseMs).toBeLessThanOrEqual(wholeMs)
      })
    }
  })

  it('are not the same for all: many that failed together do not come back together', () => {
    const first = Array.from({ length: 50 }, () => pausesOf({ firstPauseMs: 10_000 })[0])
    expect(new Set(first).size).toBeGreaterThan(10)
  })

  it('end after so many tries', () => {
    expect(pausesOf({ maxAttempts: 4, firstPauseMs: 1 })).toHaveLength(3)
    expect(pausesOf({ firstPauseMs: 1 })).toHaveLength(4)
  })

  it('end when the next try would begin too late', () => {
    const waited = pausesOf({ maxAttempts: 50, firstPauseMs: 100, longestPauseMs: 100, maxElapsedMs: 1000 })
    const elapsedMs = waited.reduce((sum, pauseMs) => sum + pauseMs, 0)
    expect(elapsedMs).toBeLessThanOrEqual(1000)
    expect(elapsedMs).toBeGreaterThan(900 - 100)
  })

  it('are as long as the error asks for, at least; what says never, is never tried', () => {
    const later = new DuologError('LOG_BUSY', 'later', { retry: { afterMs: 5000 } })
    expect(pausesOf({ maxAttempts: 3, firstPauseMs: 1 }, later)).toEqual([5000, 5000])
    expect(pausesOf({}, new DuologError('INVALID_ARGUMENT', 'no', { retry: 'never' }))).toEqual([])
    expect(pausesOf({ retryableCodes: ['LOG_BUSY'] })).toEqual([])
  })
})
