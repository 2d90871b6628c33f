import { randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { commandGate } from '../../../src/agents/gates/command-gate.ts'
import { errorOf, livingWith, tempFolder, until } from '../executors/support.ts'

const gate = (command: string[], timeoutMs = 60_000) => ({ gateId: 'tests', mandatory: true, command, timeoutMs })
const contextIn = (workDir: string, signal = new AbortController().signal) => ({
  sessionId: 's',
  workItemId: 'a',
  attempt: 2,
  workDir,
  signal,
})
const shell = (source: string, marker = 'x') => gate(['sh', '-c', source, marker])

describe('commandGate', () => {
  it('passes with exit code 0, and keeps what was printed', async () => {
    const source =
      'echo "$PWD $DUOLOG_SESSION_ID $DUOLOG_WORK_ITEM_ID $DUOLOG_ATTEMPT $DUOLOG_GATE_ID"; echo second >&2'
    const workDir = tempFolder()
    const report = await commandGate(shell(source), contextIn(workDir))
    expect(report).toMatchObject({ passed: true, score: 1, evidence: `${workDir} s a 2 tests\nsecond` })
  })

  it.each([
    ['another exit code, whatever it prints', 'echo "all tests passed"; exit 1', 'ended with exit code 1'],
    ['a signal', 'kill -9 $$', 'was killed by SIGKILL'],
  ])('fails with %s', async (_, source, explanation) => {
    const report = await commandGate(shell(source), contextIn(tempFolder()))
    expect(report).toMatchObject({ passed: false, score: 0, explanation: expect.stringContaining(explanation) })
  })

  it('fails when it takes too long, and leaves nobody behind', async () => {
    const marker = randomUUID()
    const command = ['sh', '-c', 'trap "" TERM; (trap "" TERM; sleep 3600; true) & wait; wait', marker]
    const report = await commandGate(gate(command, 50), contextIn(tempFolder()))
    expect(report).toMatchObject({
      passed: false,
      score: 0,
      explanation: expect.stringContaining('did not end within 50 ms'),
    })
    expect(livingWith(marker)).toEqual([])
  })

  it('keeps beginning and end of a long output, without secrets', async () => {
    const source =
      'console.log("Authorization: Bearer abcdefghijklmnopqrst"); console.log("x".repeat(1e6)); console.log("last line"); process.exitCode = 1'
    const { evidence = '' } = await commandGate(gate([process.execPath, '-e', source]), contextIn(tempFolder()))
    expect(evidence.length).toBeLessThan(9_000)
    expect(evidence).toMatch(
      /^Authorization: Bearer \[redacted:bearer\]\nx+\n… \[\d+ characters left out\] …\nx+\nlast line$/,
    )
  })

  it('says nothing about the work when it cannot run, or is stopped', async () => {
    const workDir = tempFolder()
    const missing = await errorOf(() => commandGate(gate(['no-such-command-here']), contextIn(workDir)))
    expect(missing).toMatchObject({
      code: 'EXECUTOR_INVALID',
      message: expect.stringContaining('Quality gate "tests" cannot run'),
    })
    const noFolder = await errorOf(() => commandGate(gate(['true']), contextIn(join(workDir, 'none'))))
    expect(noFolder.code).toBe('WORKDIR_INVALID')
    const [abort, marker] = [new AbortController(), randomUUID()]
    const stopped = errorOf(() => commandGate(shell('sleep 3600; true', marker), contextIn(workDir, abort.signal)))
    await until(() => livingWith(marker).length > 0)
    abort.abort()
    expect((await stopped).code).toBe('ABORTED')
    expect(livingWith(marker)).toEqual([])
  })

  it('really runs tests, also below another test run', async () => {
    const workDir = tempFolder()
    mkdirSync(join(workDir, 'test'))
    writeFileSync(
      join(workDir, 'test/a.test.mjs'),
      `import test from 'node:test'; test('fails', () => { throw new Error('red') })`,
    )
    process.env.NODE_TEST_CONTEXT = 'child-v8'
    try {
      const report = await commandGate(gate([process.execPath, '--test']), contextIn(workDir))
      expect(report).toMatchObject({ passed: false, evidence: expect.stringContaining('red') })
    } finally {
      delete process.env.NODE_TEST_CONTEXT
    }
  })
})
