import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { paidForOf } from '../../../src/agents/executor.ts'
import { type ProcessExecutorOptions, processExecutor } from '../../../src/agents/executors/process-executor.ts'
import { contextOf, errorOf, killWith, livingWith, requestIn, tempFolder, until } from './support.ts'

const node = (source: string, options: Partial<ProcessExecutorOptions> = {}) =>
  processExecutor({ command: process.execPath, args: ['-e', source], ...options })
const shell = (source: string, options: Partial<ProcessExecutorOptions> = {}, marker = 'x') =>
  processExecutor({ command: 'sh', args: ['-c', source, marker], ...options })

describe('what a command gets and gives', () => {
  it('gets the prompt on stdin and the call in its environment, and answers in JSON lines', async () => {
    const workDir = tempFolder()
    const executor = node(
      `
      const prompt = require('node:fs').readFileSync(0, 'utf8')
      const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => /^(DUOLOG_|EXTRA)/.test(name) && name !== 'DUOLOG_RUN'))
      console.log('some noise')
      console.log(JSON.stringify({ type: 'progress', message: 'half' }))
      console.log(JSON.stringify({ type: 'system', whatever: 1 }))
      console.log(JSON.stringify({ type: 'result', output: 'too early' }))
      process.stdout.write(JSON.stringify({ type: 'result', output: prompt, structured: { env, cwd: process.cwd() },
        usage: { inputTokens: 3, outputTokens: 4 }, costUsd: 0.5, executorSessionId: 'own', artifacts: ['a'] }))
    `,
      { env: { EXTRA: 'yes', DUOLOG_ROLE: 'cannot be overridden' } },
    )
    const context = contextOf()
    const prompt = 'Grüße $(touch x) `id` "quoted" \n'.repeat(20_000)
    const request = requestIn(workDir, {
      prompt,
      model: 'm',
      outputSchema: { type: 'object' },
      allowedTools: ['Read', 'Edit'],
      resume: 'r',
      maxBudgetUsd: 2,
    })
    const result = await executor.execute(request, context)
    expect(result).toMatchObject({
      output: prompt,
      usage: { inputTokens: 3, outputTokens: 4 },
      costUsd: 0.5,
      executorSessionId: 'own',
      artifacts: ['a'],
    })
    expect(result.structured).toEqual({
      cwd: workDir,
      env: {
        EXTRA: 'yes',
        DUOLOG_CALL_ID: 'work:a:1',
        DUOLOG_SESSION_ID: 'session-1',
        DUOLOG_ROLE: 'worker',
        DUOLOG_PURPOSE: 'work',
        DUOLOG_WORK_ITEM_ID: 'a',
        DUOLOG_WORK_DIR: workDir,
        DUOLOG_ATTEMPT: '1',
        DUOLOG_TRY: '1',
        DUOLOG_MODEL: 'm',
        DUOLOG_OUTPUT_SCHEMA: '{"type":"object"}',
        DUOLOG_ALLOWED_TOOLS: 'Read,Edit',
        DUOLOG_TIMEOUT_MS: '60000',
        DUOLOG_MAX_BUDGET_USD: '2',
        DUOLOG_RESUME: 'r',
      },
    })
    expect(context.messages).toEqual(['half'])
  })

  it('never lets a shell read the arguments', async () => {
    const workDir = tempFolder()
    const hostile = ['$(touch hacked)', '`touch hacked`', '; touch hacked', '*', '"', "'"]
    const source = 'console.log(JSON.stringify({ type: "result", output: JSON.stringify(process.argv.slice(1)) }))'
    const result = await node(source, { args: ['-e', source, ...hostile] }).execute(requestIn(workDir), contextOf())
    expect(JSON.parse(result.output)).toEqual(hostile)
  })

  it('takes plain text where the option says so', async () => {
    const executor = shell('echo hello; echo noise >&2', { output: 'text' })
    expect(await executor.execute(requestIn(tempFolder()), contextOf())).toEqual({ output: 'hello' })
    const silent = await errorOf(() => shell('true', { output: 'text' }).execute(requestIn(tempFolder()), contextOf()))
    expect(silent.message).toContain('printed nothing')
  })

  it('bears a command that does not read its input', async () => {
    const executor = shell(`exec 0<&-; echo '{"type":"result","output":"ok"}'`)
    const result = await executor.execute(requestIn(tempFolder(), { prompt: 'x'.repeat(1_000_000) }), contextOf())
    expect(result.output).toBe('ok')
  })

  it('passes on what the agent itself reports as an error, with its cost and advice', async () => {
    const executor = shell(`echo '{"type":"error","message":"no credit","retry":"never","costUsd":0.2}'; exit 1`)
    const error = await errorOf(() => executor.execute(requestIn(tempFolder()), contextOf()))
    expect(error).toMatchObject({ code: 'EXECUTOR_FAILED', retry: 'never', message: 'The agent reports: no credit' })
    expect(paidForOf(error)).toEqual({ costUsd: 0.2 })
  })
})

describe('a command that fails', () => {
  it.each([
    ['exit code 137', 'exit 137', 'ended with exit code 137 (killed by SIGKILL, often for want of memory)'],
    ['exit code 3, after a result', `echo '{"type":"result","output":"x"}'; exit 3`, 'ended with exit code 3'],
    ['a signal', 'kill -SEGV $$', 'was killed by SIGSEGV'],
    ['garbage', 'echo "<html>502"; echo "{not json}"', 'printed no result line'],
    [
      'a result of the wrong shape',
      `echo '{"type":"result","output":7,"costUsd":-1}'`,
      'output: must be a string, is number 7; costUsd: must not be negative',
    ],
    ['nothing at all', 'true', 'It printed nothing else.'],
    ['its reason on stderr', 'echo "no API key" >&2; exit 1', 'It printed:\nno API key'],
  ])('%s', async (_, source, message) => {
    const error = await errorOf(() => shell(source).execute(requestIn(tempFolder()), contextOf()))
    expect(error).toMatchObject({
      code: 'EXECUTOR_FAILED',
      retry: { afterMs: 1000 },
      message: expect.stringContaining(message),
    })
  })

  it('never shows a secret it printed', async () => {
    const executor = shell('echo "key is $MY_API_KEY" >&2; exit 1', { env: { MY_API_KEY: 'hush-hush-hush' } })
    const error = await errorOf(() => executor.execute(requestIn(tempFolder()), contextOf()))
    expect(error.message).toContain('key is [redacted:secret]')
  })

  it('cannot be started: not found, not executable, no folder, no command', async () => {
    const workDir = tempFolder()
    writeFileSync(join(workDir, 'plain'), 'text')
    chmodSync(join(workDir, 'plain'), 0o644)
    const fails = (command: string, folder = workDir) =>
      errorOf(() => processExecutor({ command }).execute(requestIn(folder), contextOf()))
    expect(await fails('no-such-command-here')).toMatchObject({
      code: 'EXECUTOR_INVALID',
      message: expect.stringContaining('was not found: install it'),
    })
    expect(await fails(join(workDir, 'plain'))).toMatchObject({
      code: 'EXECUTOR_INVALID',
      message: expect.stringContaining('chmod +x'),
    })
    expect(await fails('true', join(workDir, 'none'))).toMatchObject({
      code: 'WORKDIR_INVALID',
      message: expect.stringContaining('create the work directory'),
    })
    expect((await errorOf(() => processExecutor({ command: ' ' }))).code).toBe('EXECUTOR_INVALID')
  })

  it('prints without end: beginning and end are kept, the rest is counted', async () => {
    const source = `process.stdout.write('begin ' + 'é'.repeat(3e6) + '\\n' + JSON.stringify({ type: 'result', output: 'x'.repeat(3e6) }) + '\\nend')`
    const text = await node(source, { output: 'text', maxCaptureChars: 1_000 }).execute(
      requestIn(tempFolder()),
      contextOf(),
    )
    expect(text.output).toMatch(/^begin é+\n… \[\d+ characters left out\] …\n.+end$/s)
    expect(text.output.length).toBeLessThan(1_100)
    expect(text.fullOutputChars).toBeGreaterThan(6_000_000)
    const lines = await node(source, { maxCaptureChars: 1_000 }).execute(requestIn(tempFolder()), contextOf())
    expect(lines.output).toHaveLength(3_000_000)
    const short = await errorOf(() => node(source, { maxLineChars: 100 }).execute(requestIn(tempFolder()), contextOf()))
    expect(short.message).toContain('2 lines were too long')
  })

  it('is stopped when it does not stop printing', async () => {
    const marker = randomUUID()
    const executor = shell('while :; do printf "%0100000d" 0; done', { maxOutputBytes: 2_000_000 }, marker)
    const error = await errorOf(() => executor.execute(requestIn(tempFolder()), contextOf()))
    expect(error).toMatchObject({
      code: 'EXECUTOR_FAILED',
      message: expect.stringContaining('printed without end and was stopped'),
    })
    expect(livingWith(marker)).toEqual([])
  })
})

describe('P8: a call that is over leaves nobody behind', () => {
  it('when it is stopped: children and grandchildren that ignore SIGTERM, and one that left the group', async () => {
    const marker = randomUUID()
    const deaf = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)`
    const abort = new AbortController()
    const context = contextOf(abort.signal)
    const source = `const { spawn } = require('node:child_process')
       spawn('sh', ['-c', 'trap "" TERM; (trap "" TERM; sleep 3600; true) & wait', '${marker}'], { stdio: 'inherit' })
       spawn(process.execPath, ['-e', ${JSON.stringify(deaf)}, '${marker}'], { detached: true, stdio: 'inherit' })
       ${deaf}
       setTimeout(() => console.log('{"type":"progress","message":"on"}'), 300)`
    const call = errorOf(() => node(source, { args: ['-e', source, marker] }).execute(requestIn(tempFolder()), context))
    await until(() => context.messages.length > 0 && livingWith(marker).length >= 3)
    abort.abort()
    expect((await call).code).toBe('ABORTED')
    expect(livingWith(marker)).toEqual([])
  })

  it.runIf(process.platform === 'linux')(
    'when it is stopped: who left the group with an environment of its own, and its children',
    async () => {
      const marker = randomUUID()
      onTestFinished(() => killWith(marker))
      const clean = `env -i setsid sh -c 'trap "" TERM; env -i setsid sleep 3600; true' ${marker}`
      const below = `setsid sh -c 'env -i setsid sh -c "sleep 3600; true" ${marker}; true' ${marker}`
      const abort = new AbortController()
      const script = `${clean} & ${below} & echo '{"type":"progress","message":"on"}'; sleep 3600`
      const call = errorOf(() => shell(script, {}, marker).execute(requestIn(tempFolder()), contextOf(abort.signal)))
      await until(() => livingWith(marker).length >= 4)
      abort.abort()
      expect((await call).code).toBe('ABORTED')
      expect(livingWith(marker)).toEqual([])
    },
  )

  it('when it ended well: a background process it forgot', async () => {
    const marker = randomUUID()
    const executor = shell(`sh -c 'sleep 3600; true' ${marker} & echo '{"type":"result","output":"ok"}'`, {}, marker)
    expect((await executor.execute(requestIn(tempFolder()), contextOf())).output).toBe('ok')
    expect(livingWith(marker)).toEqual([])
  })

  it('when it was stopped before it began', async () => {
    const marker = randomUUID()
    const executor = shell('sleep 3600; true', {}, marker)
    expect((await errorOf(() => executor.execute(requestIn(tempFolder()), contextOf(AbortSignal.abort())))).code).toBe(
      'ABORTED',
    )
    expect(livingWith(marker)).toEqual([])
  })

  it('when its owner is killed with SIGKILL: the watchdog ends the group', async () => {
    const marker = randomUUID()
    const owner = await startOwner(tempFolder(), marker)
    expect(livingWith(marker).length).toBeGreaterThanOrEqual(3)
    owner.kill('SIGKILL')
    await until(() => livingWith(marker).length === 0)
  })

  it.runIf(process.platform === 'linux')(
    'when owner and watchdog are killed: the retry ends it before it begins',
    async () => {
      const [marker, workDir] = [randomUUID(), tempFolder()]
      const owner = await startOwner(workDir, marker)
      for (const pid of watchdogsOf(owner)) process.kill(pid, 'SIGKILL')
      owner.kill('SIGKILL')
      await until(() => livingWith(marker).every((line) => !line.includes('owner-main')))
      expect(livingWith(marker).length).toBeGreaterThanOrEqual(2)

      const seen = `console.log(JSON.stringify({ type: 'result', output: require('node:child_process').execFileSync('ps', ['-A', '-ww', '-o', 'args='], { encoding: 'utf8' }) }))`
      const elsewhere = await node(seen).execute(requestIn(tempFolder()), contextOf())
      expect(elsewhere.output).toContain(marker)
      const retry = await node(seen).execute(requestIn(workDir), contextOf())
      expect(retry.output).not.toContain(marker)
    },
  )

  it.runIf(process.platform === 'linux')(
    'when its owner lives but has lost the call: the retry ends that call only',
    async () => {
      const [lost, other, workDir] = [randomUUID(), randomUUID(), tempFolder()]
      await startOwner(workDir, lost, 'a')
      await startOwner(workDir, other, 'b')
      const executor = shell(`echo '{"type":"result","output":"ok"}'`)
      await executor.execute(requestIn(workDir, { workItemId: 'a' }), contextOf())
      expect(livingWith(lost).filter((line) => !line.includes('owner-main'))).toEqual([])
      expect(livingWith(other).filter((line) => !line.includes('owner-main')).length).toBeGreaterThan(0)
    },
  )
})

/** Resolves when its agent is at work. */
async function startOwner(workDir: string, marker: string, workItemId = 'a'): Promise<ChildProcess> {
  const main = fileURLToPath(new URL('./owner-main.ts', import.meta.url))
  const owner = spawn(process.execPath, [main, workDir, marker, workItemId], { stdio: ['ignore', 'pipe', 'ignore'] })
  onTestFinished(async () => {
    owner.kill('SIGKILL')
    killWith(marker)
    await until(() => livingWith(marker).length === 0)
  })
  await new Promise((resolve) => owner.stdout?.once('data', resolve))
  return owner
}

/** Children of the owner, which is not a parent of anything else that matches. */
function watchdogsOf(owner: ChildProcess): number[] {
  const children = readFileSync(`/proc/${owner.pid}/task/${owner.pid}/children`, 'utf8').trim().split(' ').map(Number)
  return children.filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('duolog-watchdog'))
}
