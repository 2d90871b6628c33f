import { describe, expect, it } from 'vitest'
import { type AgentRequest, paidForOf } from '../../../src/agents/executor.ts'
import { fromExecuteWithSDK, type HostCallResult } from '../../../src/agents/executors/host-executor.ts'
import { contextOf, errorOf, requestIn } from './support.ts'

const fine: HostCallResult = { output: 'done', exitCode: 0, messages: [], hasError: false, executionTime: 1 }

function host(answer: unknown, isAvailable?: () => boolean) {
  const asked: unknown[] = []
  const executor = fromExecuteWithSDK({
    executeWithSDK: async (...call) => {
      asked.push(call)
      return answer as HostCallResult
    },
    ...(isAvailable ? { isAvailable } : {}),
  })
  const ask = (change: Partial<AgentRequest> = {}, signal?: AbortSignal) =>
    executor.execute(requestIn('/work', change), contextOf(signal))
  return { asked, ask }
}

describe('a host behind our port', () => {
  it('gets the request in its own shape', async () => {
    const { asked, ask } = host(fine)
    await ask({ prompt: 'Do it.', model: 'opus', resume: 'theirs', allowedTools: ['Read', 'Edit'], timeoutMs: 5_000 })
    await ask({ prompt: 'Again.' })
    expect(asked).toEqual([
      [
        'Do it.',
        {
          model: 'opus',
          workDir: '/work',
          sessionId: 'theirs',
          verbose: false,
          timeout: 5_000,
          allowedTools: 'Read,Edit',
        },
      ],
      ['Again.', { workDir: '/work', verbose: false, timeout: 60_000 }],
    ])
  })

  it('is never given a call of ours for a session of its own', async () => {
    const { asked, ask } = host(fine)
    for (const resume of ['plan:1', 'work:a:1', 'work:a:1~2', 'gate:a:1:tests']) await ask({ prompt: 'Go on.', resume })
    expect(asked).toEqual(
      Array.from({ length: 4 }, () => ['Go on.', { workDir: '/work', verbose: false, timeout: 60_000 }]),
    )
  })

  it('gives its answer, its session and, where its messages tell, its cost', async () => {
    const told = {
      type: 'result',
      total_cost_usd: 0.2,
      session_id: 's',
      num_turns: 5,
      usage: { input_tokens: 3, output_tokens: 4 },
    }
    expect(await host({ ...fine, messages: ['noise', { type: 'assistant' }, told] }).ask()).toEqual({
      output: 'done',
      costUsd: 0.2,
      executorSessionId: 's',
      usage: { inputTokens: 3, outputTokens: 4, turns: 5 },
    })
    expect(await host({ ...fine, sessionId: 'theirs' }).ask()).toEqual({ output: 'done', executorSessionId: 'theirs' })
  })

  it('flaw 6: success and failure are read, never guessed from words', async () => {
    const talk = 'Added error handling; a failed test is fixed.'
    expect((await host({ ...fine, output: talk }).ask()).output).toBe(talk)
    const messages = [{ type: 'result', total_cost_usd: 0.3 }]
    for (const answer of [
      { ...fine, output: 'All good!', exitCode: 1, messages },
      { ...fine, output: 'All good!', hasError: true, messages },
    ]) {
      const error = await errorOf(() => host(answer).ask())
      expect(error).toMatchObject({ code: 'EXECUTOR_FAILED', retry: { afterMs: 1_000 } })
      expect(error.message).toContain('All good!')
      expect(paidForOf(error)).toEqual({ costUsd: 0.3 })
    }
  })

  it('says when it is not available, and asks nobody then', async () => {
    const gone = await errorOf(() => host({ ...fine, output: 'SDK Not Available', exitCode: 2 }).ask())
    const { asked, ask } = host(fine, () => false)
    const away = await errorOf(() => ask())
    expect([gone.code, away.code, asked]).toEqual(['EXECUTOR_INVALID', 'EXECUTOR_INVALID', []])
    expect(gone.message).toMatch(/^Claude Code SDK is not available: SDK Not Available/)
  })

  it('is refused an answer of another shape, and stopped calls are not results', async () => {
    const strange = await errorOf(() => host({ output: 7 }).ask())
    expect(strange.message).toContain('output: must be a string, is number 7')
    expect(strange.code).toBe('EXECUTOR_FAILED')
    expect((await errorOf(() => host(fine).ask({}, AbortSignal.abort()))).code).toBe('ABORTED')
  })
})
