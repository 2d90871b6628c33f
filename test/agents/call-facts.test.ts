import { describe, expect, it } from 'vitest'
import { recordedToolCalls, sumOfUsage } from '../../src/agents/call-facts.ts'
import { compareSessions } from '../../src/agents/compare-sessions.ts'
import {
  type AgentExecutor,
  type AgentResult,
  type AgentUsage,
  ExecutorFailedError,
  type ToolCall,
} from '../../src/agents/executor.ts'
import { guardedExecutor } from '../../src/agents/executors/guarded-executor.ts'
import { foldSession } from '../../src/agents/fold-session.ts'
import { KafkaAgentCoordinator } from '../../src/agents/kafka-agent-coordinator.ts'
import { createRedactor } from '../../src/agents/redact.ts'
import type { SessionEvent } from '../../src/agents/session/schemas.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { contextOf, errorOf, requestIn } from './executors/support.ts'

const redact = createRedactor({ env: { MY_TOKEN: 'hush-hush-hush' } })

describe('the tool calls the log keeps', () => {
  it('joins equal ones in a row, and only those', () => {
    const read: ToolCall = { tool: 'Read', input: 'a.ts', firstAt: '2026-01-01T00:00:00.000Z' }
    const later = { ...read, firstAt: '2026-01-01T00:00:05.000Z' }
    expect(
      recordedToolCalls([read, later, { tool: 'Edit' }, read, { ...read, input: 'b.ts', count: 3 }], redact),
    ).toEqual([{ ...read, count: 2 }, { tool: 'Edit' }, read, { ...read, input: 'b.ts', count: 3 }])
  })

  it('sums up what comes after the first 100', () => {
    const many = Array.from({ length: 150 }, (_, index) => ({
      tool: index % 2 === 0 ? 'Read' : 'Bash',
      input: `${index}`,
    }))
    const recorded = recordedToolCalls(many, redact)
    expect(recorded).toHaveLength(101)
    expect(recorded[99]).toEqual({ tool: 'Bash', input: '99' })
    expect(recorded[100]).toEqual({ tool: 'others', input: 'Read ×25, Bash ×25', count: 50, summary: true })
  })

  it('keeps no secret, and of a long input the beginning', () => {
    const input = `${'x'.repeat(190)} hush-hush-hush`
    const [call] = recordedToolCalls([{ tool: 'Bash', input }], redact)
    expect(call?.input).toBe(`${'x'.repeat(190)} [redacte…`)
  })
})

describe('usage of two calls', () => {
  it('is added up per model, money without a rounding error', () => {
    const a: AgentUsage = { inputTokens: 5, models: { big: { inputTokens: 5, outputTokens: 1, costUsd: 0.1 } } }
    const b: AgentUsage = {
      inputTokens: 2,
      turns: 3,
      models: { big: { inputTokens: 1, outputTokens: 1, costUsd: 0.2 }, small: { inputTokens: 1, outputTokens: 0 } },
    }
    expect(sumOfUsage(a, b)).toEqual({
      inputTokens: 7,
      turns: 3,
      models: { big: { inputTokens: 6, outputTokens: 2, costUsd: 0.3 }, small: { inputTokens: 1, outputTokens: 0 } },
    })
  })
})

describe('the guard', () => {
  const guarded = (executor: AgentExecutor) =>
    guardedExecutor(executor, { redact }).execute(requestIn('/work'), contextOf())
  const toolCalls = [{ tool: 'Bash', input: 'curl -H hush-hush-hush' }]
  const clean = [{ tool: 'Bash', input: 'curl -H [redacted:secret]' }]

  it('redacts the tool calls of an answer and of a failure', async () => {
    expect((await guarded({ execute: async () => ({ output: 'x', toolCalls }) })).toolCalls).toEqual(clean)
    const failing: AgentExecutor = {
      execute: () => Promise.reject(new ExecutorFailedError('no', { paidFor: { costUsd: 1, toolCalls } })),
    }
    expect(await errorOf(() => guarded(failing))).toMatchObject({ paidFor: { costUsd: 1, toolCalls: clean } })
  })

  it('names what is wrong with usage and tool calls', async () => {
    const wrong = { output: 'x', usage: { models: { m: { inputTokens: -1, outputTokens: 0 } } }, toolCalls: [{}] }
    const { message } = await errorOf(() => guarded({ execute: async () => wrong as unknown as AgentResult }))
    expect(message).toContain('usage.models.m.inputTokens')
    expect(message).toContain('toolCalls[0].tool')
  })
})

describe('a session', () => {
  const plan = {
    strategy: 'one',
    workItems: [{ id: 'a', title: 'A', description: 'A', acceptanceCriteria: ['a'], dependencies: [] }],
  }
  const verdict = { approved: true, qualityScore: 1, feedback: [], recommendations: [] }

  /** Its first work fails, and had used a tool. */
  function agent(model: string): AgentExecutor {
    const usage = {
      inputTokens: 10,
      outputTokens: 1,
      turns: 2,
      models: { [model]: { inputTokens: 10, outputTokens: 1, costUsd: 0.1 } },
    }
    const toolCalls = [{ tool: 'Bash', input: 'npm test' }, { tool: 'Bash', input: 'npm test' }, { tool: 'Write' }]
    return {
      execute: async ({ purpose, try: tryNumber }) => {
        if (purpose === 'plan') return { output: '', structured: plan, usage, costUsd: 0.1 }
        if (purpose === 'review') return { output: '', structured: verdict }
        if (tryNumber === 1)
          throw new ExecutorFailedError('no', { retry: 'now', paidFor: { usage, costUsd: 0.1, toolCalls } })
        return { output: 'done', usage, costUsd: 0.1, toolCalls }
      },
    }
  }

  async function runWith(store: EventStore, model: string) {
    const coordinator = new KafkaAgentCoordinator({ store, executor: agent(model), workDirChanges: false })
    const view = await coordinator.run('Do it', { workDir: process.cwd() })
    await coordinator.close()
    return view
  }

  it('P7: records tool calls beside the one outcome of their call, and sums what each model cost', async () => {
    const store = await openEventStore('memory:')
    const view = await runWith(store, 'big')
    expect(view.totals.usage).toEqual({
      inputTokens: 30,
      outputTokens: 3,
      turns: 6,
      models: { big: { calls: 3, inputTokens: 30, outputTokens: 3, costUsd: 0.3 } },
    })
    const work = view.calls.filter(({ purpose }) => purpose === 'work')
    expect(work.map(({ status, toolCalls }) => [status, toolCalls])).toEqual([
      ['failed', 3],
      ['completed', 3],
    ])
    const events: SessionEvent[] = []
    for await (const { event } of foldSession(store, view.sessionId)) events.push(event)
    const [failed, completed] = work.map(({ callId }) => events.findIndex((event) => isOutcome(event, callId)))
    for (const at of [failed!, completed!]) {
      expect(events.slice(at + 1, at + 4)).toMatchObject([
        { type: 'AgentToolCalled', data: { tool: 'Bash', input: 'npm test', count: 2 } },
        { type: 'AgentToolCalled', data: { tool: 'Write', count: 1 } },
        { type: expect.not.stringMatching('AgentToolCalled') },
      ])
    }
    await store.close()
  })

  it('is compared to another by model', async () => {
    const store = await openEventStore('memory:')
    const [a, b] = [await runWith(store, 'big'), await runWith(store, 'small')]
    expect((await compareSessions(store, a.sessionId, b.sessionId)).difference.models).toEqual({
      big: { calls: -3, inputTokens: -30, outputTokens: -3, costUsd: -0.3 },
      small: { calls: 3, inputTokens: 30, outputTokens: 3, costUsd: 0.3 },
    })
    await store.close()
  })
})

function isOutcome({ type, data }: SessionEvent, callId: string): boolean {
  return (type === 'AgentCallFailed' || type === 'AgentCallCompleted') && data.callId === callId
}
