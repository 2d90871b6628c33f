import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createCircuitBreaker } from '../../src/processing/circuit-breaker.ts'
import { memoryInbox } from '../../src/processing/inbox.ts'
import { RetryPauses } from '../../src/processing/retry-policy.ts'

/* The wall clock is set by an hour while something goes on that takes its time. Timers by it: timers-suite.ts. */

const HOUR_MS = 3_600_000

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }))
afterEach(() => void vi.useRealTimers())
const jump = (ms: number) => vi.setSystemTime(Date.now() + ms)

describe.each([
  ['put back', -HOUR_MS],
  ['put ahead', HOUR_MS],
])('a clock that is %s by an hour', (_, jumpMs) => {
  it('opens no circuit breaker early, and none an hour late', async () => {
    const openMs = 300
    const breaker = createCircuitBreaker({ failures: 1, openMs })
    const openedMs = performance.now()
    await expect(breaker.run(() => Promise.reject(new Error('away')))).rejects.toThrow('away')
    jump(jumpMs)
    const leftMs = Date.parse(breaker.status.probeAt ?? '') - Date.now()
    expect(leftMs).toBeGreaterThanOrEqual(0)
    expect(leftMs).toBeLessThanOrEqual(openMs)
    const calledMs = await breaker.run(async () => performance.now())
    expect(calledMs - openedMs).toBeGreaterThanOrEqual(openMs)
    expect(breaker.status).toEqual({ state: 'closed' })
  })

  it('ends no tries early: what counts is how long it has taken', () => {
    const pauses = new RetryPauses({ maxAttempts: 3, firstPauseMs: 1, maxElapsedMs: HOUR_MS / 2 })
    jump(jumpMs)
    expect(pauses.afterFailure(new Error('failed'))).toBeLessThanOrEqual(1)
    expect(pauses.afterFailure(new Error('failed'))).toBeLessThanOrEqual(2)
    expect(pauses.afterFailure(new Error('failed'))).toBeUndefined()
  })

  it('makes an inbox in memory forget nothing that it remembers', async () => {
    const inbox = memoryInbox({ maxAgeMs: HOUR_MS / 2 })
    await inbox.begin('c', 'm')
    await inbox.finish('c', 'm')
    jump(jumpMs)
    expect(await inbox.begin('c', 'm')).toBe('done')
  })
})
