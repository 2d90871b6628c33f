import { describe, expect, it } from 'vitest'
import {
  type AgentExecutor,
  type AgentResult,
  CallStoppedError,
  ExecutorFailedError,
} from '../../../src/agents/executor.ts'
import { resilientExecutor } from '../../../src/agents/executors/resilient-executor.ts'
import { DuologError } from '../../../src/core/errors.ts'
import { createCircuitBreaker } from '../../../src/processing/circuit-breaker.ts'
import { contextOf, errorOf, requestIn } from './support.ts'

const request = requestIn('/')
const retry = { maxAttempts: 3, firstPauseMs: 1 }
const failure = (costUsd?: number) =>
  new ExecutorFailedError('overloaded', {
    retry: 'now',
    ...(costUsd !== undefined && { paidFor: { costUsd, usage: { inputTokens: 10 } } }),
  })

/** Fails with each error, then answers. */
function failing(...errors: (Error | undefined)[]): AgentExecutor & { calls: number } {
  const executor = {
    calls: 0,
    async execute(): Promise<AgentResult> {
      const error = errors[executor.calls++]
      if (error !== undefined) throw error
      return { output: 'done', costUsd: 0.5, usage: { inputTokens: 1, outputTokens: 2 } }
    },
  }
  return executor
}

describe('resilientExecutor', () => {
  it('P7 tries again within the call; what the failed tries cost is in its outcome', async () => {
    const executor = failing(failure(0.1), failure(0.2))
    const context = contextOf()
    const result = await resilientExecutor(executor, { retry }).execute(request, context)
    expect(result).toMatchObject({ output: 'done', usage: { inputTokens: 21, outputTokens: 2 } })
    expect(result.costUsd).toBeCloseTo(0.8)
    expect(context.messages).toHaveLength(2)
  })

  it('gives up after the last try, with the cost of all; at once on what no retry helps', async () => {
    const executor = failing(failure(0.1), failure(0.2), failure(0.3), undefined)
    const error = await errorOf(() => resilientExecutor(executor, { retry }).execute(request, contextOf()))
    expect(error).toMatchObject({ code: 'EXECUTOR_FAILED', retry: 'now', message: 'overloaded' })
    expect((error as ExecutorFailedError).paidFor.costUsd).toBeCloseTo(0.6)
    for (const hopeless of [
      new DuologError('WORKDIR_INVALID', 'no'),
      new DuologError('ABORTED', 'stop', { retry: 'now' }),
    ]) {
      const once = failing(hopeless)
      expect(await errorOf(() => resilientExecutor(once, { retry }).execute(request, contextOf()))).toBe(hopeless)
      expect(once.calls).toBe(1)
    }
  })

  it('P7 a try that does not say what it cost is not free: the outcome says that more was paid than is known', async () => {
    const answered = await resilientExecutor(failing(failure()), { retry }).execute(request, contextOf())
    expect(answered).toMatchObject({ costUsd: 0.5, costUnknown: true, usage: { inputTokens: 1, incomplete: true } })
    const allKnown = await resilientExecutor(failing(failure(0.1)), { retry }).execute(request, contextOf())
    expect(allKnown).not.toHaveProperty('costUnknown')
    expect(allKnown.usage).not.toHaveProperty('incomplete')
    const executor = failing(failure(0.1), failure(), failure(0.3))
    const error = await errorOf(() => resilientExecutor(executor, { retry }).execute(request, contextOf()))
    expect((error as ExecutorFailedError).paidFor).toEqual({
      costUsd: 0.4,
      costUnknown: true,
      usage: { inputTokens: 20, incomplete: true },
    })
  })

  it('what tries had cost is not lost by how the last one ends: stopped, or refused before it was paid', async () => {
    const paidFor = { costUsd: 0.1, usage: { inputTokens: 10 } }
    const stopped = failing(failure(0.1), new CallStoppedError('stop', { paidFor: { costUsd: 0.2 } }))
    const stop = await errorOf(() => resilientExecutor(stopped, { retry }).execute(request, contextOf()))
    expect(stop).toMatchObject({ code: 'ABORTED', paidFor: { usage: { inputTokens: 10, incomplete: true } } })
    expect((stop as CallStoppedError).paidFor.costUsd).toBeCloseTo(0.3)
    const refused = failing(failure(0.1), new DuologError('WORKDIR_INVALID', 'gone'))
    const error = await errorOf(() => resilientExecutor(refused, { retry }).execute(request, contextOf()))
    expect(error).toMatchObject({ code: 'EXECUTOR_FAILED', retry: 'never', message: 'gone', paidFor })
  })

  it('tries only what its policy lists, and no longer than that says', async () => {
    const listed = failing(failure())
    const narrow = { ...retry, retryableCodes: ['TIMEOUT'] as const }
    expect(
      await errorOf(() => resilientExecutor(listed, { retry: narrow }).execute(request, contextOf())),
    ).toMatchObject({ message: 'overloaded' })
    expect(listed.calls).toBe(1)
    const slow = failing(failure(), failure(), failure(), failure())
    const short = { maxAttempts: 50, firstPauseMs: 40, maxElapsedMs: 60 }
    await errorOf(() => resilientExecutor(slow, { retry: short }).execute(request, contextOf()))
    expect(slow.calls).toBeLessThan(4)
  })

  it('leaves a long pause to the session, which parks the call', async () => {
    const limited = new ExecutorFailedError('limited', { retry: { afterMs: 3_600_000 } })
    const executor = failing(limited)
    expect(await errorOf(() => resilientExecutor(executor, { retry }).execute(request, contextOf()))).toBe(limited)
    expect(executor.calls).toBe(1)
  })

  it('an open breaker, shared by executors, refuses at once and says when; a probe closes it', async () => {
    const breaker = createCircuitBreaker({ failures: 2, openMs: 60 })
    const [one, other] = [failing(failure(), failure()), failing()]
    const first = resilientExecutor(one, { retry: { maxAttempts: 2, firstPauseMs: 1 }, breaker })
    await errorOf(() => first.execute(request, contextOf()))
    expect(breaker.status).toMatchObject({ state: 'open', lastError: 'overloaded' })
    const second = resilientExecutor(other, { breaker })
    const refused = await errorOf(() => second.execute(request, contextOf()))
    expect(refused).toMatchObject({
      code: 'EXECUTOR_FAILED',
      message: expect.stringContaining('circuit breaker is open'),
    })
    expect((refused.retry as { afterMs: number }).afterMs).toBeLessThanOrEqual(60)
    expect(other.calls).toBe(0)
    await new Promise((resolve) => setTimeout(resolve, 80))
    expect((await second.execute(request, contextOf())).output).toBe('done')
    expect(breaker.status).toEqual({ state: 'closed' })
  })

  it('stops trying when the call is stopped', async () => {
    const stop = new AbortController()
    const executor = failing(failure(), failure())
    const slow = resilientExecutor(executor, { retry: { maxAttempts: 5, firstPauseMs: 60_000 } })
    const ended = errorOf(() => slow.execute(request, contextOf(stop.signal)))
    setTimeout(() => stop.abort(), 10)
    expect((await ended).message).toBe('overloaded')
    expect(executor.calls).toBe(1)
  })
})
