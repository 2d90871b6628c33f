import { describe, expect, it } from 'vitest'
import { type AgentExecutor, ExecutorFailedError, paidForOf } from '../../../src/agents/executor.ts'
import { type GuardOptions, guardedExecutor } from '../../../src/agents/executors/guarded-executor.ts'
import { createRedactor } from '../../../src/agents/redact.ts'
import { DuologError } from '../../../src/core/errors.ts'
import { contextOf, errorOf, requestIn } from './support.ts'

const redact = createRedactor({ env: { MY_TOKEN: 'hush-hush-hush' } })
const guard = (execute: AgentExecutor['execute'], options: GuardOptions = {}) =>
  guardedExecutor({ execute }, { redact, ...options })
const answering = (result: unknown, options?: GuardOptions) =>
  guard(async () => result as never, options).execute(requestIn('/'), contextOf())
const never = () => new Promise<never>(() => undefined)

describe('guardedExecutor', () => {
  it('passes a good result on, without what does not belong to it', async () => {
    const good = {
      output: 'x',
      structured: { a: [1] },
      usage: { inputTokens: 1 },
      costUsd: 0.1,
      executorSessionId: 's',
      artifacts: ['a'],
    }
    expect(await answering({ ...good, extra: 1, usage: { inputTokens: 1, other: 2 } })).toEqual(good)
  })

  it.each([
    ['nothing', undefined, 'the whole value: is missing'],
    ['a text', 'done', 'the whole value: must be an object'],
    ['no output', { costUsd: 1 }, 'output: is missing'],
    ['a cost that is no number', { output: '', costUsd: Number.NaN }, 'costUsd: '],
    ['a negative cost', { output: '', costUsd: -1 }, 'costUsd: must not be negative'],
    ['data that is no JSON', { output: '', structured: { n: 1n } }, 'structured: cannot be written as JSON'],
  ])('turns garbage into EXECUTOR_FAILED: %s', async (_, result, message) => {
    const error = await errorOf(() => answering(result))
    expect(error).toMatchObject({
      code: 'EXECUTOR_FAILED',
      retry: { afterMs: 1000 },
      message: expect.stringContaining(message),
    })
  })

  it.each([
    ['a rejection', () => Promise.reject(new Error('no network'))],
    [
      'a throw',
      () => {
        throw new Error('no network')
      },
    ],
    ['a rejection with a text', () => Promise.reject('no network')],
  ] as [string, AgentExecutor['execute']][])('turns %s into EXECUTOR_FAILED with its cause', async (_, execute) => {
    const error = await errorOf(() => guard(execute).execute(requestIn('/'), contextOf()))
    expect(error).toMatchObject({ code: 'EXECUTOR_FAILED', message: 'The executor failed: no network' })
    expect(String(error.cause)).toContain('no network')
  })

  it('keeps the code, advice and cost of an error of ours', async () => {
    const ours = new ExecutorFailedError('out of credit', { retry: 'never', paidFor: { costUsd: 3 } })
    expect(await errorOf(() => guard(() => Promise.reject(ours)).execute(requestIn('/'), contextOf()))).toBe(ours)
    const other = new DuologError('WORKDIR_INVALID', 'gone')
    expect(await errorOf(() => guard(() => Promise.reject(other)).execute(requestIn('/'), contextOf()))).toBe(other)
  })

  it('stops a call that takes too long, and keeps what it had cost', async () => {
    const execute: AgentExecutor['execute'] = (_, { signal }) =>
      new Promise((__, reject) => {
        signal.addEventListener('abort', () =>
          reject(new ExecutorFailedError('stopped', { paidFor: { costUsd: 0.7 } })),
        )
      })
    const error = await errorOf(() => guard(execute).execute(requestIn('/', { timeoutMs: 5 }), contextOf()))
    expect(error).toMatchObject({
      code: 'EXECUTOR_FAILED',
      retry: { afterMs: 1000 },
      message: expect.stringContaining('longer than 5 ms'),
    })
    expect(paidForOf(error)).toEqual({ costUsd: 0.7 })
  })

  it('gives up on an executor that never settles, and says so', async () => {
    const late = await errorOf(() =>
      guard(never, { stopGraceMs: 5 }).execute(requestIn('/', { timeoutMs: 5 }), contextOf()),
    )
    expect(late).toMatchObject({
      code: 'EXECUTOR_FAILED',
      message: expect.stringContaining('did not stop within 5 ms'),
    })
    const abort = new AbortController()
    const cancelled = errorOf(() => guard(never, { stopGraceMs: 5 }).execute(requestIn('/'), contextOf(abort.signal)))
    abort.abort()
    expect(await cancelled).toMatchObject({ code: 'ABORTED', message: expect.stringContaining('may still be at work') })
  })

  it('is ABORTED when the caller stops it, whatever the executor makes of that', async () => {
    const abort = new AbortController()
    const execute: AgentExecutor['execute'] = (_, { signal }) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve({ output: 'done anyway', costUsd: 0.4 })))
    const call = errorOf(() => guard(execute).execute(requestIn('/'), contextOf(abort.signal)))
    abort.abort()
    expect((await call).code).toBe('ABORTED')
    expect(paidForOf(await call)).toEqual({ costUsd: 0.4 })
    let asked = false
    const refused = guard(async () => {
      asked = true
      return { output: '' }
    }).execute(requestIn('/'), contextOf(abort.signal))
    expect((await errorOf(() => refused)).code).toBe('ABORTED')
    expect(asked).toBe(false)
  })

  it('refuses a time limit that is none, and bears one longer than timers can', async () => {
    const ask = (timeoutMs: number) =>
      guard(async () => ({ output: 'x' })).execute(requestIn('/', { timeoutMs }), contextOf())
    for (const timeoutMs of [0, -1, Number.NaN])
      expect((await errorOf(() => ask(timeoutMs))).code).toBe('INVALID_ARGUMENT')
    const slow = guard(() => new Promise((resolve) => setTimeout(resolve, 30, { output: 'x' })))
    expect(await slow.execute(requestIn('/', { timeoutMs: 1e12 }), contextOf())).toEqual({ output: 'x' })
  })

  it('shortens an endless output and keeps its true length, beginning and end', async () => {
    const output = `begin ${'x'.repeat(5000)} end`
    const result = await answering({ output }, { maxOutputChars: 100 })
    expect(result.fullOutputChars).toBe(output.length)
    expect(result.output.length).toBeLessThan(160)
    expect(result.output).toMatch(/^begin x+\n… \[\d+ characters left out\] …\nx+ end$/)
  })

  it('takes the answer from an output before it is cut', async () => {
    const output = JSON.stringify({ strategy: 's', filler: 'x'.repeat(500) })
    const request = requestIn('/', { outputSchema: {} })
    const cut = await guard(async () => ({ output }), { maxOutputChars: 100 }).execute(request, contextOf())
    expect(cut.structured).toMatchObject({ strategy: 's' })
    const tooLong = await errorOf(() =>
      answering({ output: '', structured: 'x'.repeat(200) }, { maxStructuredChars: 100 }),
    )
    expect(tooLong.message).toContain('has 202 characters as JSON; answer with at most 100')
  })

  it('keeps secrets out of results, progress and errors, causes included', async () => {
    const context = contextOf()
    const result = await guard(async (_, { progress }) => {
      progress({ message: 'using hush-hush-hush' })
      return { output: 'token hush-hush-hush', structured: { deep: ['hush-hush-hush'] } }
    }).execute(requestIn('/'), context)
    const error = await errorOf(() =>
      guard(() => Promise.reject(new Error('bad hush-hush-hush', { cause: { token: 'hush-hush-hush' } }))).execute(
        requestIn('/'),
        contextOf(),
      ),
    )
    expect(context.messages).toEqual(['using [redacted:secret]'])
    expect(result).toEqual({ output: 'token [redacted:secret]', structured: { deep: ['[redacted:secret]'] } })
    expect(error.message).toBe('The executor failed: bad [redacted:secret]')
    expect((error.cause as Error).message).not.toContain('hush')
  })

  it('drops progress that comes after the end', async () => {
    const context = contextOf()
    let late: () => void = () => undefined
    await guard(async (_, { progress }) => {
      late = () => progress({ message: 'late' })
      return { output: '' }
    }).execute(requestIn('/'), context)
    late()
    expect(context.messages).toEqual([])
  })
})
