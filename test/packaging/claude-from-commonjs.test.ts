import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { startMessagesApi } from '../support/messages-api.ts'
import { temporaryFolder } from './installed.ts'

/* The built CommonJS form loads the real SDK, which is ESM only, and makes a call of it. */

const built = resolve(import.meta.dirname, '../../dist/agents.cjs')
const run = promisify(execFile)

it('an Agent SDK call is made through the CommonJS build', async () => {
  const folder = temporaryFolder()
  onTestFinished(() => folder.remove())
  const api = await startMessagesApi(() => ({ text: 'said through CommonJS' }))
  onTestFinished(() => api.close())
  const workDir = join(folder.path, 'work')
  mkdirSync(workDir)
  const request = { callId: 'work:a:1', sessionId: 's', role: 'worker', purpose: 'work', workItemId: 'a', attempt: 1 }
  const program = join(folder.path, 'call.cjs')
  writeFileSync(
    program,
    `const { claudeExecutor } = require(${JSON.stringify(built)})
    const request = ${JSON.stringify({ ...request, prompt: 'Say it.', workDir, timeoutMs: 120_000 })}
    claudeExecutor({ nested: 'allow', model: 'claude-sonnet-4-5' })
      .execute(request, { signal: new AbortController().signal, progress() {} })
      .then(({ output, usage }) => console.log(JSON.stringify({ output, usage })))`,
  )
  const env = {
    HOME: folder.path,
    PATH: process.env.PATH,
    CLAUDE_CONFIG_DIR: join(folder.path, 'claude'),
    ANTHROPIC_BASE_URL: api.url,
    ANTHROPIC_API_KEY: 'sk-test-0000000000000000',
    CLAUDE_CODE_MAX_RETRIES: '1',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    DISABLE_TELEMETRY: '1',
    DISABLE_ERROR_REPORTING: '1',
  }
  const { stdout } = await run(process.execPath, [program], { cwd: folder.path, env })
  expect(JSON.parse(stdout)).toMatchObject({ output: 'said through CommonJS', usage: { turns: 1 } })
  expect(JSON.stringify(api.requests.at(-1)?.messages)).toContain('Say it.')
})
