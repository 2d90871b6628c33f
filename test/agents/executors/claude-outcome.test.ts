import { describe, expect, it, vi } from 'vitest'
import { ClaudeMessages } from '../../../src/agents/executors/claude-messages.ts'
import { claudeSessionId, isNested } from '../../../src/agents/executors/claude-options.ts'
import { resultOf } from '../../../src/agents/executors/claude-outcome.ts'
import { CoalescedProgress, describeToolCall } from '../../../src/agents/executors/claude-progress.ts'
import { loadClaudeQuery } from '../../../src/agents/executors/claude-sdk.ts'
import { contextOf, errorOf, requestIn } from './support.ts'

const NOW_MS = Date.UTC(2026, 10, 23, 12)
const HOUR_MS = 3_600_000
/** As Claude Code sends them; only what is read. */
const base = { session_id: 's', uuid: 'u', modelUsage: {}, usage: {}, total_cost_usd: 0, permission_denials: [] }

function outcome(...sent: readonly object[]) {
  const messages = new ClaudeMessages('/work', contextOf(), () => undefined)
  for (const message of sent) messages.read({ ...base, ...message } as unknown as Parameters<typeof messages.read>[0])
  return () => resultOf(requestIn('/work'), messages, NOW_MS)
}

const apiError = (error: string, text: string) => [
  { type: 'assistant', error, message: { content: [{ type: 'text', text }] } },
  { type: 'result', subtype: 'success', is_error: true, result: text, api_error_status: 429 },
]

describe('a rate limit', () => {
  it('is to be tried again when it is lifted', async () => {
    const rate_limit_info = { status: 'rejected', resetsAt: (NOW_MS + HOUR_MS) / 1_000 }
    const limited = outcome({ type: 'rate_limit_event', rate_limit_info }, ...apiError('rate_limit', 'Limit reached.'))
    expect((await errorOf(limited)).retry).toEqual({ afterMs: HOUR_MS })
  })

  it('also in the words of older versions, never in the past, and after a minute when nobody says when', async () => {
    const at = (ms: number) => outcome(...apiError('rate_limit', `usage limit reached|${ms / 1_000}`))
    expect((await errorOf(at(NOW_MS + HOUR_MS))).retry).toEqual({ afterMs: HOUR_MS })
    expect((await errorOf(at(NOW_MS - HOUR_MS))).retry).toEqual({ afterMs: 1_000 })
    expect((await errorOf(outcome(...apiError('rate_limit', 'Slow down')))).retry).toEqual({ afterMs: 60_000 })
  })

  it('that only warns changes nothing', () => {
    const rate_limit_info = { status: 'allowed_warning', resetsAt: (NOW_MS + HOUR_MS) / 1_000 }
    const done = { type: 'result', subtype: 'success', is_error: false, result: 'ok' }
    expect(outcome({ type: 'rate_limit_event', rate_limit_info }, done)().output).toBe('ok')
  })
})

describe('an end that is no success', () => {
  it.each([
    ['error_max_structured_output_retries', {}, 'EXECUTOR_FAILED', { afterMs: 1_000 }, 'fits the schema of a work'],
    ['error_during_execution', {}, 'EXECUTOR_FAILED', { afterMs: 1_000 }, 'Claude failed: why'],
    ['error_during_execution', { startup_failure_reason: 'bypass_root' }, 'EXECUTOR_INVALID', 'never', 'bypass_root'],
    ['error_of_tomorrow', {}, 'EXECUTOR_FAILED', { afterMs: 1_000 }, 'ended with "error_of_tomorrow": why'],
  ])('%s %o', async (subtype, more, code, retry, message) => {
    const error = await errorOf(outcome({ type: 'result', subtype, is_error: true, errors: ['why'], ...more }))
    expect(error).toMatchObject({ code, retry, message: expect.stringContaining(message) })
  })

  it('keeps what it cost when a person has to mend it', async () => {
    const [said, ended] = apiError('billing_error', 'Credit balance is too low')
    const modelUsage = {
      m: { costUSD: 2, inputTokens: 1, outputTokens: 2, cacheReadInputTokens: 3, cacheCreationInputTokens: 4 },
    }
    const error = await errorOf(outcome(said!, { ...ended, modelUsage }))
    expect(error).toMatchObject({ code: 'EXECUTOR_FAILED', retry: 'never', paidFor: { costUsd: 2 } })
  })
})

describe('what is shown meanwhile', () => {
  it('comes together when it comes at once, and is capped', () => {
    vi.useFakeTimers()
    const said: string[] = []
    const progress = new CoalescedProgress((message) => said.push(message))
    for (let n = 1; n <= 7; n++) progress.add(`tool ${n}`)
    vi.advanceTimersByTime(1_000)
    progress.add('last')
    progress.flush()
    expect(said).toEqual(['tool 1 · tool 2 · tool 3 · tool 4 · tool 5 · and 2 more', 'last'])
    for (let n = 0; n < 2_000; n++) {
      progress.add('more')
      progress.flush()
    }
    expect(said).toHaveLength(1_000)
    vi.useRealTimers()
  })

  it('names the tool and what it is about, in one line', () => {
    expect(describeToolCall('Bash', { command: 'npm test\nrm x', description: 'Test' })).toBe('Bash: npm test')
    expect(describeToolCall('TaskList', {})).toBe('TaskList')
    expect(describeToolCall('Read', { file_path: 'x'.repeat(500) })).toHaveLength(127)
  })
})

describe('before a call', () => {
  it('flaw 22: an outer session is told by its variable, never by the name of a path', () => {
    expect(isNested({ inheritEnv: false, env: { CLAUDECODE: '1' } })).toBe(true)
    expect(isNested({ inheritEnv: false, env: { PWD: '/opt/automatic-claude-code/dist', CLAUDECODE: '' } })).toBe(false)
  })

  it("derives Claude's session from the call: the same each time, another for another call, a valid UUID", () => {
    const id = claudeSessionId('s', 'work:a:1')
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/)
    expect([claudeSessionId('s', 'work:a:1'), claudeSessionId('s', id)]).toEqual([id, id])
    expect(new Set([id, claudeSessionId('s', 'work:a:2'), claudeSessionId('t', 'work:a:1')]).size).toBe(3)
  })

  it('says what to install when the package is missing', async () => {
    const error = await errorOf(() => loadClaudeQuery('@anthropic-ai/not-installed-here'))
    expect(error.code).toBe('DEPENDENCY_MISSING')
    expect(error.message).toContain('npm install @anthropic-ai/claude-agent-sdk')
  })
})
