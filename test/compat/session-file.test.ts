import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { type AgentExecutor, ExecutorFailedError } from '../../src/agents/executor.ts'
import { SDKDualAgentCoordinator } from '../../src/compat/sdk-dual-agent-coordinator.ts'
import type { SessionFileContent } from '../../src/compat/session-file-view.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { tempFolder } from '../agents/executors/support.ts'
import { approval, HostAgents, planOf } from './agents.ts'

const one = planOf({ a: {} })

function folders(): { folder: string; workDir: string } {
  const folder = tempFolder()
  const workDir = join(folder, 'work')
  mkdirSync(workDir)
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return { folder: join(folder, 'sessions'), workDir }
}

const read = (folder: string, id: string): SessionFileContent =>
  JSON.parse(readFileSync(join(folder, `${id}.json`), 'utf8'))

describe.each(['memory:', 'file:'])('the session file, of a log in %s', (scheme) => {
  const urlIn = (folder: string) => (scheme === 'memory:' ? scheme : `file:${join(folder, '..', 'log.db')}`)

  it('holds each call with its prompt, answer, cost and files; nothing else lies beside it', async () => {
    const { folder, workDir } = folders()
    let running: SessionFileContent | undefined
    const executor: AgentExecutor = {
      async execute({ purpose, sessionId }) {
        if (purpose === 'plan') return { output: '', structured: one, costUsd: 0.25, executorSessionId: 'm-1' }
        if (purpose === 'review') return { output: JSON.stringify(approval) }
        await vi.waitFor(() => {
          running = read(folder, sessionId)
        })
        writeFileSync(join(workDir, 'made.txt'), 'made')
        const toolCalls = [
          { tool: 'Write', input: 'made.txt' },
          { tool: 'Bash', input: 'npm test' },
        ]
        return { output: 'did it', costUsd: 0.05, executorSessionId: 'w-1', toolCalls }
      },
    }
    const made = new SDKDualAgentCoordinator({}, { log: urlIn(folder), executor, sessionFiles: folder })
    await made.startCoordination('build it', { workDir })
    const { sessionId } = made.getExecutionContext()
    expect(running).toMatchObject({ id: sessionId, status: 'running', initialPrompt: 'build it' })
    expect(readdirSync(folder)).toEqual([`${sessionId}.json`])
    const text = readFileSync(join(folder, `${sessionId}.json`), 'utf8')
    const content: SessionFileContent = JSON.parse(text)
    expect(text).toBe(`${JSON.stringify(content, null, 2)}\n`)
    expect(Object.keys(content)).toEqual([
      'id',
      'startTime',
      'initialPrompt',
      'workDir',
      'iterations',
      'status',
      'endTime',
      'executionMode',
    ])
    expect(content).toMatchObject({ id: sessionId, initialPrompt: 'build it', workDir, status: 'completed' })
    expect(Date.parse(content.endTime!)).toBeGreaterThanOrEqual(Date.parse(content.startTime))
    const common = { exitCode: 0, executionMode: 'sdk', duration: expect.any(Number), timestamp: expect.any(String) }
    expect(content.iterations).toMatchObject([
      {
        ...common,
        iteration: 1,
        prompt: expect.stringContaining('build it'),
        output: { totalCost: 0.25 },
        sdkSessionId: 'm-1',
      },
      {
        ...common,
        iteration: 2,
        prompt: expect.stringContaining('Do a'),
        output: {
          result: 'did it',
          sessionId: 'w-1',
          totalCost: 0.05,
          tools: ['Write', 'Bash'],
          commands: ['npm test'],
          files: ['made.txt'],
        },
      },
      {
        ...common,
        iteration: 3,
        prompt: expect.stringContaining('did it'),
        output: { result: JSON.stringify(approval) },
      },
    ])
    expect(JSON.parse(content.iterations[0]!.output.result!)).toEqual(one)
  })

  it('of a session that failed says so, and with which error; a corrupt file is made anew, others are left', async () => {
    const { folder, workDir } = folders()
    mkdirSync(folder)
    writeFileSync(join(folder, 'job-1.json'), '{"id": "job')
    writeFileSync(join(folder, 'job-1.json.99999.tmp'), 'half')
    writeFileSync(join(folder, 'other.json'), '{"id": "oth')
    const executor: AgentExecutor = {
      async execute() {
        throw new ExecutorFailedError('no account', { paidFor: { costUsd: 0.01 } })
      },
    }
    const extras = { log: urlIn(folder), executor, sessionFiles: folder, sessionId: 'job-1' }
    await new SDKDualAgentCoordinator({}, extras).startCoordination('build it', { workDir, continueOnError: true })
    expect(readdirSync(folder).toSorted()).toEqual(['job-1.json', 'other.json'])
    expect(read(folder, 'job-1')).toMatchObject({
      status: 'failed',
      endTime: expect.any(String),
      iterations: [{ exitCode: 1, output: { error: expect.stringContaining('no account'), totalCost: 0.01 } }],
    })
    expect(readFileSync(join(folder, 'other.json'), 'utf8')).toBe('{"id": "oth')
  })
})

describe('where it cannot be written', () => {
  it('the session goes on, and somebody is told', async () => {
    const { folder, workDir } = folders()
    writeFileSync(folder, 'a file, not a folder')
    const warnings: string[] = []
    const logger = { debug() {}, info() {}, error() {}, warn: (_: object, text: string) => void warnings.push(text) }
    const store = await openEventStore('memory:')
    onTestFinished(() => store.close())
    const made = new SDKDualAgentCoordinator({}, { store, executor: new HostAgents(one), sessionFiles: folder, logger })
    await made.startCoordination('build it', { workDir })
    expect(made.getWorkflowState().completedWorkItems).toBe(1)
    expect(warnings).toContain('The session file cannot be written; the log has everything')
  })

  it('an id leads nowhere else', async () => {
    const { folder, workDir } = folders()
    const extras = { log: 'memory:', executor: new HostAgents(one), sessionFiles: folder, sessionId: '../../up' }
    await new SDKDualAgentCoordinator({}, extras).startCoordination('build it', { workDir })
    expect(readdirSync(folder)).toEqual(['..%2F..%2Fup.json'])
  })

  it('nor is it where it is not wanted', async () => {
    const { folder, workDir } = folders()
    const store = await openEventStore('memory:')
    onTestFinished(() => store.close())
    const made = new SDKDualAgentCoordinator({}, { store, executor: new HostAgents(one), sessionFiles: false })
    await made.startCoordination('build it', { workDir })
    expect(() => readdirSync(folder)).toThrow('ENOENT')
  })
})
