import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { AgentRequest } from '../../../src/agents/executor.ts'
import { type ClaudeExecutorOptions, claudeExecutor } from '../../../src/agents/executors/claude-executor.ts'
import { type MessagesReply, type MessagesRequest, startMessagesApi } from '../../support/messages-api.ts'
import { requestIn, tempFolder } from './support.ts'

/*
 * The real SDK and the real Claude Code, in an environment of their own, against a stand-in for the API on loopback.
 */

export const PRICED_MODEL = 'claude-sonnet-4-5'
const KEY = 'sk-test-0000000000000000'

export interface Stage {
  readonly workDir: string
  readonly requests: readonly MessagesRequest[]
  executor(options?: ClaudeExecutorOptions): ReturnType<typeof claudeExecutor>
  request(change?: Partial<AgentRequest>): AgentRequest
}

export async function stage(reply: (request: MessagesRequest, index: number) => MessagesReply): Promise<Stage> {
  const home = tempFolder()
  const workDir = join(home, 'work')
  mkdirSync(workDir)
  const api = await startMessagesApi(reply)
  onTestFinished(() => api.close())
  const env = {
    HOME: home,
    PATH: process.env.PATH,
    CLAUDE_CONFIG_DIR: join(home, 'claude'),
    ANTHROPIC_BASE_URL: api.url,
    ANTHROPIC_API_KEY: KEY,
    CLAUDE_CODE_MAX_RETRIES: '1',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    DISABLE_TELEMETRY: '1',
    DISABLE_ERROR_REPORTING: '1',
  }
  return {
    workDir,
    requests: api.requests,
    executor: ({ env: more, ...options } = {}) =>
      claudeExecutor({ inheritEnv: false, model: PRICED_MODEL, ...options, env: { ...env, ...more } }),
    request: (change) => requestIn(workDir, { timeoutMs: 120_000, ...change }),
  }
}

export const toolNames = (request: MessagesRequest | undefined) => (request?.tools ?? []).map(({ name }) => name)
export const asked = (request: MessagesRequest | undefined) => JSON.stringify(request?.messages)
