import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { cassetteFromSession } from '../../../src/agents/cassette-from-session.ts'
import { type AgentExecutor, becauseOf, paidForOf } from '../../../src/agents/executor.ts'
import { claudeSessionId } from '../../../src/agents/executors/claude-options.ts'
import { guardedExecutor } from '../../../src/agents/executors/guarded-executor.ts'
import { replayExecutor } from '../../../src/agents/executors/replay-executor.ts'
import { KafkaAgentCoordinator } from '../../../src/agents/kafka-agent-coordinator.ts'
import { readSession } from '../../../src/agents/read-sessions.ts'
import { parsePlan, parseReview, planJsonSchema, reviewJsonSchema } from '../../../src/agents/structured-output.ts'
import { openEventStore } from '../../../src/store/open-event-store.ts'
import { waitForEvent } from '../../../src/testing/wait-for-event.ts'
import { asked, PRICED_MODEL, stage, toolNames } from './claude-stage.ts'
import { contextOf, errorOf, killWith, livingWith, tempFolder, until } from './support.ts'

describe('a call', () => {
  it('plans with an answer that fits the schema, and may only read', async () => {
    const plan = {
      strategy: 'one step',
      workItems: [{ id: 'a', title: 'A', description: 'Do A', acceptanceCriteria: ['A is done'] }],
    }
    const { executor, request, requests } = await stage(() => ({ tool: { name: 'StructuredOutput', input: plan } }))
    const asking = request({
      callId: 'plan:1',
      purpose: 'plan',
      role: 'manager',
      prompt: 'Plan it.',
      outputSchema: planJsonSchema(),
    })
    const result = await guardedExecutor(executor()).execute(asking, contextOf())
    expect(parsePlan(result)).toMatchObject({ ok: true, plan: { workItems: [{ id: 'a' }] } })
    expect(result).toMatchObject({
      usage: {
        inputTokens: 100,
        outputTokens: 20,
        turns: expect.any(Number),
        models: {
          [PRICED_MODEL]: {
            inputTokens: 100,
            outputTokens: 20,
            cacheReadTokens: 0,
            costUsd: expect.closeTo(0.0006, 6),
          },
        },
      },
      executorSessionId: claudeSessionId('session-1', 'plan:1'),
    })
    expect(result.costUsd).toBeCloseTo(0.0006, 6)
    expect(asked(requests[0])).toContain('Plan it.')
    expect(toolNames(requests[0])).toContain('Read')
    expect(toolNames(requests[0])).not.toContain('Write')
    expect(toolNames(requests[0])).not.toContain('Bash')
  })

  it('works: writes a file in the work directory, shows what it does, names what it changed', async () => {
    const { executor, request, workDir } = await stage((_, index) =>
      index === 0
        ? { tool: { name: 'Write', input: { file_path: join(workDir, 'src/a.txt'), content: 'hello' } } }
        : { text: 'It is written.' },
    )
    const context = contextOf()
    const result = await executor().execute(request(), context)
    expect(readFileSync(join(workDir, 'src/a.txt'), 'utf8')).toBe('hello')
    expect(result).toMatchObject({ output: 'It is written.', artifacts: ['src/a.txt'] })
    expect(result.costUsd).toBeCloseTo(0.0012, 6)
    expect(result.usage).toMatchObject({ inputTokens: 200, outputTokens: 40, turns: 2 })
    expect(result.toolCalls).toEqual([
      { tool: 'Write', input: join(workDir, 'src/a.txt'), firstAt: expect.stringMatching(/^\d{4}-.*Z$/) },
    ])
    expect(context.messages.join('\n')).toContain(`Write: ${join(workDir, 'src/a.txt')}`)
  })

  it('is refused what was not allowed: a file outside the work directory, a shell', async () => {
    const outside = join(tempFolder(), 'outside.txt')
    const { executor, request, requests } = await stage((_, index) =>
      index === 0
        ? { tool: { name: 'Write', input: { file_path: outside, content: 'x' } } }
        : { text: 'I was not allowed to.' },
    )
    const result = await executor().execute(request({ allowedTools: ['Read', 'Write'] }), contextOf())
    expect(existsSync(outside)).toBe(false)
    expect(result.artifacts).toBeUndefined()
    expect(asked(requests[1])).toContain('is_error')
    expect(toolNames(requests[0])).not.toContain('Bash')
  })

  it('reviews: reads the work, gives its verdict', async () => {
    const verdict = { approved: false, qualityScore: 0.4, feedback: ['no test'], recommendations: [] }
    const { executor, request, requests, workDir } = await stage((_, index) =>
      index === 0
        ? { tool: { name: 'Glob', input: { pattern: '*', path: workDir } } }
        : { tool: { name: 'StructuredOutput', input: verdict } },
    )
    const reviewing = { callId: 'review:a:1', purpose: 'review', role: 'manager' } as const
    const result = await executor().execute(request({ ...reviewing, outputSchema: reviewJsonSchema() }), contextOf())
    expect(parseReview(result)).toEqual({ ok: true, review: verdict })
    expect(asked(requests[1])).not.toContain('is_error')
  })

  it("goes on with Claude's own session, and pays only for what is new", async () => {
    const { executor, request, requests } = await stage((_, index) => ({ text: `answer ${index}` }))
    const first = await executor().execute(request({ callId: 'work:a:1', prompt: 'The first.' }), contextOf())
    const resumed = { callId: 'work:a:1~2', prompt: 'The second.', resume: first.executorSessionId! }
    const second = await executor().execute(request(resumed), contextOf())
    expect(second.executorSessionId).toBe(first.executorSessionId)
    expect(second.costUsd).toBeCloseTo(first.costUsd!, 9)
    expect(second.usage).toEqual(first.usage)
    expect(asked(requests[1])).toContain('The first.')
    expect(asked(requests[1])).toContain('answer 0')
  })

  it('P7: a call in doubt is found by its own id, and begun anew when it never spoke', async () => {
    const { executor, request, requests } = await stage((_, index) => ({ text: `answer ${index}` }))
    const neverSpoke = { callId: 'work:b:1~2', prompt: 'Anew.', resume: 'work:b:1' }
    expect((await executor().execute(request(neverSpoke), contextOf())).output).toBe('answer 0')
    await executor().execute(request({ callId: 'work:a:1', prompt: 'The first.' }), contextOf())
    await executor().execute(request({ callId: 'work:a:1~2', prompt: 'Again.', resume: 'work:a:1' }), contextOf())
    expect(asked(requests[2])).toContain('The first.')
    // Another log with the same ids: Claude refuses an id it knows.
    const again = await executor().execute(request({ callId: 'work:a:1' }), contextOf())
    expect(again.executorSessionId).not.toBe(claudeSessionId('session-1', 'work:a:1'))
  })
})

describe('a session', () => {
  it('is planned, worked and reviewed by Claude, and replays from its cassette without it', async () => {
    const plan = {
      strategy: 'one step',
      workItems: [{ id: 'a', title: 'Make a', description: 'Make a', acceptanceCriteria: ['a is made'] }],
    }
    const verdict = { approved: true, qualityScore: 0.9, feedback: [], recommendations: [] }
    const { executor, requests, workDir } = await stage((request) => {
      const isAnswered = asked(request).includes('tool_result')
      if (isAnswered) return { text: 'a is made.' }
      if (!toolNames(request).includes('StructuredOutput'))
        return { tool: { name: 'Write', input: { file_path: join(workDir, 'a.txt'), content: 'a' } } }
      const isReview = JSON.stringify(request.tools).includes('qualityScore')
      return { tool: { name: 'StructuredOutput', input: isReview ? verdict : plan } }
    })
    const store = await openEventStore('memory:')
    const run = async (worker: AgentExecutor) => {
      const coordinator = new KafkaAgentCoordinator({ store, executor: worker })
      onTestFinished(() => coordinator.close())
      return coordinator.run('Make a', { workDir })
    }
    const made = await run(executor())
    expect(made).toMatchObject({ status: 'completed', workItems: [{ id: 'a', status: 'accepted', qualityScore: 0.9 }] })
    expect(readFileSync(join(workDir, 'a.txt'), 'utf8')).toBe('a')
    expect(made.totals.costUsd).toBeCloseTo(4 * 0.0006, 6)
    expect(made.totals.usage?.models).toEqual({
      [PRICED_MODEL]: { calls: 3, inputTokens: 400, outputTokens: 80, cacheReadTokens: 0, costUsd: 0.0024 },
    })
    expect(made.calls.flatMap(({ purpose, toolCalls }) => (toolCalls ? [[purpose, toolCalls]] : []))).toEqual([
      ['work', 1],
    ])
    expect(requests).toHaveLength(4)
    const replayed = await run(replayExecutor(await cassetteFromSession(store, made.sessionId)))
    expect([replayed.status, replayed.totals]).toEqual([made.status, made.totals])
    expect(requests).toHaveLength(4)
  })
})

describe('a call whose tool a person denied', () => {
  it('is not offered it, with the others as they were', async () => {
    const { executor, request, requests } = await stage(() => ({ text: 'Done without.' }))
    await executor().execute(request({ deniedTools: ['Write'] }), contextOf())
    expect(toolNames(requests[0])).toContain('Edit')
    expect(toolNames(requests[0])).not.toContain('Write')
  })
})

describe('a call that is stopped', () => {
  it.runIf(process.platform === 'linux')('P8: is gone with its whole process tree, shell tools included', async () => {
    const marker = randomUUID()
    const deaf = `setsid sh -c 'trap "" TERM HUP; while :; do tail -f /dev/null; done' ${marker} &`
    const { executor, request } = await stage(() => ({
      tool: { name: 'Bash', input: { command: `${deaf} tail -f /dev/null ${marker}` } },
    }))
    onTestFinished(() => killWith(marker))
    const abort = new AbortController()
    const call = errorOf(() => executor().execute(request({ allowedTools: ['Bash'] }), contextOf(abort.signal)))
    await until(() => livingWith(marker).length > 0)
    abort.abort()
    expect((await call).code).toBe('ABORTED')
    expect(livingWith(marker)).toEqual([])
  })

  it('was stopped before it began', async () => {
    const { executor, request, requests } = await stage(() => ({ text: 'x' }))
    const error = await errorOf(() => executor().execute(request(), contextOf(AbortSignal.abort())))
    expect([error.code, requests.length]).toEqual(['ABORTED', 0])
  })
})

describe('a call that fails', () => {
  it('at its budget: never again, and what it cost is kept', async () => {
    const { executor, request, workDir } = await stage(() => ({
      tool: { name: 'Glob', input: { pattern: '*', path: workDir } },
      usage: { input_tokens: 100_000, output_tokens: 20_000 },
    }))
    const error = await errorOf(() => executor().execute(request({ maxBudgetUsd: 0.5 }), contextOf()))
    expect(error).toMatchObject({
      code: 'EXECUTOR_FAILED',
      retry: 'never',
      message: expect.stringContaining('stopped at its budget'),
    })
    expect(paidForOf(error).costUsd).toBeCloseTo(0.6, 6)
    expect(paidForOf(error)).toMatchObject({
      usage: { inputTokens: 100_000, outputTokens: 20_000, models: { [PRICED_MODEL]: { outputTokens: 20_000 } } },
      toolCalls: [{ tool: 'Glob' }],
    })
  })

  it('at its budget in a session: it waits for money, and goes on with more', async () => {
    const plan = {
      strategy: 'one step',
      workItems: [{ id: 'a', title: 'A', description: 'Do A', acceptanceCriteria: ['A is done'] }],
    }
    const verdict = { approved: true, qualityScore: 0.9, feedback: [], recommendations: [] }
    let isDear = true
    const { executor, workDir } = await stage((request) => {
      if (!toolNames(request).includes('StructuredOutput')) {
        const usage = { input_tokens: 100_000, output_tokens: 20_000 }
        return isDear
          ? { tool: { name: 'Glob', input: { pattern: '*', path: workDir } }, usage }
          : { text: 'A is done.' }
      }
      const isReview = JSON.stringify(request.tools).includes('qualityScore')
      return { tool: { name: 'StructuredOutput', input: isReview ? verdict : plan } }
    })
    const store = await openEventStore('memory:')
    const coordinator = new KafkaAgentCoordinator({ store, executor: executor() })
    onTestFinished(() => coordinator.close())
    const settings = { budget: { maxUsd: 10, perCallUsd: { work: 0.5 } } }
    const waiting = await coordinator.run('Do A', { workDir, sessionId: 's', settings })
    expect(waiting).toMatchObject({
      status: 'waiting',
      budget: { exceeded: { limit: 'call', max: 0.5, spent: expect.closeTo(0.6, 6), purpose: 'work' } },
    })
    isDear = false
    await coordinator.raiseBudget('s', { perCallUsd: { work: 3 } })
    expect(await coordinator.resume('s')).toMatchObject({ status: 'completed', totals: { workerCalls: 2 } })
  })

  it('after too many turns', async () => {
    const { executor, request, workDir } = await stage(() => ({
      tool: { name: 'Glob', input: { pattern: '*', path: workDir } },
    }))
    const error = await errorOf(() => executor({ maxTurns: 2 }).execute(request(), contextOf()))
    expect(error).toMatchObject({ code: 'EXECUTOR_FAILED', retry: 'never' })
    expect(error.message).toContain('raise maxTurns')
    expect(paidForOf(error).costUsd).toBeGreaterThan(0)
  })

  it.each([
    [429, 'rate_limit_error', { afterMs: 60_000 }, 'rate_limit'],
    [529, 'overloaded_error', { afterMs: 30_000 }, 'overloaded'],
    [500, 'api_error', { afterMs: 30_000 }, 'server_error'],
  ])('at API error %i: told when to try again', async (status, type, retry, kind) => {
    const headers = { 'retry-after': '0' }
    const { executor, request } = await stage(() => ({ status, type, message: 'Too much.', headers }))
    const error = await errorOf(() => executor().execute(request(), contextOf()))
    expect(error).toMatchObject({ code: 'EXECUTOR_FAILED', retry, message: expect.stringContaining(`(${kind})`) })
    expect(becauseOf(error)).toBe(status === 429 ? 'rate-limit' : undefined)
    expect(paidForOf(error)).toMatchObject({ costUsd: 0, executorSessionId: expect.any(String) })
  })

  it('at a limit of the account: its session waits until Claude says that it is lifted', async () => {
    const resetsAt = Math.floor(Date.now() / 1_000) + 3_600
    const headers = {
      'anthropic-ratelimit-unified-status': 'rejected',
      'anthropic-ratelimit-unified-reset': String(resetsAt),
      'anthropic-ratelimit-unified-representative-claim': 'five_hour',
      'x-should-retry': 'false',
    }
    const { executor, workDir, requests } = await stage(() => ({
      status: 429,
      type: 'rate_limit_error',
      message: 'Too much.',
      headers,
    }))
    const subscribed = { ANTHROPIC_API_KEY: undefined, CLAUDE_CODE_OAUTH_TOKEN: 'sk-ant-oat01-0000000000000000' }
    const store = await openEventStore('memory:')
    const coordinator = new KafkaAgentCoordinator({ store, executor: executor({ env: subscribed }) })
    const running = coordinator.run('Do A', { workDir, sessionId: 's' })
    await waitForEvent(store, { stream: 's', type: 'AgentCallFailed', timeoutMs: 60_000 })
    const { calls } = await readSession(store, 's')
    const waiting = calls.find(({ notBefore }) => notBefore !== undefined)
    expect(Date.parse(waiting?.notBefore ?? '')).toBeCloseTo(resetsAt * 1_000, -4)
    expect(requests).toHaveLength(1)
    await coordinator.cancel('s')
    expect((await running).status).toBe('cancelled')
    await coordinator.close()
  })

  it('at answers that never fit the schema: once more, and what they cost is kept', async () => {
    const { executor, request } = await stage(() => ({ tool: { name: 'StructuredOutput', input: { score: 7 } } }))
    const reviewing = { callId: 'review:a:1', purpose: 'review', role: 'manager' } as const
    const call = executor().execute(request({ ...reviewing, outputSchema: reviewJsonSchema() }), contextOf())
    const error = await errorOf(() => call)
    expect(error).toMatchObject({ code: 'EXECUTOR_FAILED', retry: { afterMs: 1_000 } })
    expect(error.message).toContain('no answer that fits the schema of a review')
    expect(paidForOf(error).costUsd).toBeGreaterThan(0)
  })

  it('at a wrong key, without waiting for ten tries; no key; no credit; an unknown model', async () => {
    const wrong = await stage(() => ({ status: 401, type: 'authentication_error', message: 'invalid x-api-key' }))
    const patient = wrong.executor({ env: { CLAUDE_CODE_MAX_RETRIES: '10' } })
    const refused = await errorOf(() => patient.execute(wrong.request(), contextOf()))
    expect(refused).toMatchObject({ code: 'EXECUTOR_INVALID', retry: 'never' })
    expect(refused.message).toContain('Set ANTHROPIC_API_KEY to a valid key')
    expect(wrong.requests.length).toBeLessThanOrEqual(3)

    const keyless = wrong.executor({ env: { ANTHROPIC_API_KEY: undefined } })
    const without = await errorOf(() => keyless.execute(wrong.request(), contextOf()))
    expect(without.message).toContain('Not logged in')
    expect(without.code).toBe('EXECUTOR_INVALID')

    const poor = await stage(() => ({
      status: 400,
      type: 'invalid_request_error',
      message: 'Your credit balance is too low to access the API',
    }))
    const broke = await errorOf(() => poor.executor().execute(poor.request(), contextOf()))
    expect([broke.code, broke.message]).toEqual(['EXECUTOR_INVALID', expect.stringContaining('Buy credits')])

    const modelless = await stage(() => ({ status: 404, type: 'not_found_error', message: 'model: nobody' }))
    const unknown = await errorOf(() =>
      modelless.executor().execute(modelless.request({ model: 'nobody' }), contextOf()),
    )
    expect([unknown.code, unknown.message]).toEqual(['EXECUTOR_INVALID', expect.stringContaining('Name a model')])
  })

  it.runIf(process.platform === 'linux')('when its process is killed', async () => {
    const { executor, request, requests, workDir } = await stage(() => 'silence')
    const call = errorOf(() => executor().execute(request(), contextOf()))
    await until(() => requests.length > 0)
    for (const pid of pidsWithCwd(workDir)) process.kill(pid, 'SIGKILL')
    const error = await call
    expect(error).toMatchObject({ code: 'EXECUTOR_FAILED', retry: { afterMs: 1_000 } })
    expect(error.message).toContain('was killed by SIGKILL')
    expect(paidForOf(error).executorSessionId).toBe(claudeSessionId('session-1', 'work:a:1'))
  })

  it('without a work directory, without a Claude Code, and inside another session of it', async () => {
    const { executor, request, workDir, requests } = await stage(() => ({ text: 'x' }))
    const nowhere = await errorOf(() => executor().execute(request({ workDir: join(workDir, 'none') }), contextOf()))
    expect(nowhere.code).toBe('WORKDIR_INVALID')
    const gone = await errorOf(() =>
      executor({ claudePath: join(workDir, 'no-claude') }).execute(request(), contextOf()),
    )
    expect([gone.code, gone.message]).toEqual(['EXECUTOR_INVALID', expect.stringContaining('no-claude')])
    const nested = { CLAUDECODE: '1' }
    const inside = await errorOf(() => executor({ env: nested }).execute(request(), contextOf()))
    expect([inside.code, inside.message]).toEqual(['EXECUTOR_INVALID', expect.stringContaining('CLAUDECODE is set')])
    expect(requests).toEqual([])
    const allowed = await executor({ env: nested, nested: 'allow' }).execute(request(), contextOf())
    expect(allowed.output).toBe('x')
  })
})

function pidsWithCwd(folder: string): number[] {
  const cwdOf = (pid: string) => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`)
    } catch {
      return undefined
    }
  }
  const ids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return ids.filter((pid) => cwdOf(pid) === folder).map(Number)
}
