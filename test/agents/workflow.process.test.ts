import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { workbench } from '../processing/logs.ts'
import { startProgram } from '../support/program.ts'
import type { WorkflowProgram } from './workflow-program-main.ts'

/** P5 P6 The third command is the delivery; what was done and not answered is asked for again, and is one fact. */
describe('the workflow saga is killed around a command of its workspace', () => {
  const bench = workbench()

  it.each([
    ['workflow.command.begin', 1, ['prepare', 'deliver']],
    ['workflow.command.done', 1, ['prepare', 'prepare', 'deliver']],
    ['workflow.command.done', 3, ['prepare', 'deliver', 'deliver']],
  ] as const)('%s, time %i: the workspace is asked %j, each answer is there once', async (dieAt, dieAtCount, asked) => {
    const folder = bench.folder()
    const [url, journal] = [`file:${join(folder, 'run.db')}`, join(folder, 'journal')]
    const start = (more: Partial<WorkflowProgram> = {}) =>
      startProgram(new URL('./workflow-program-main.ts', import.meta.url), { url, journal, leaseMs: 1000, ...more })
    expect(await start({ dieAt, dieAtCount }).ended).toMatchObject({ signal: 'SIGKILL' })
    expect(await start().ended).toMatchObject({ code: 0, errors: '' })
    expect(readFileSync(journal, 'utf8').trim().split('\n')).toEqual(asked)
    const store = await bench.open(url)
    const types = async (stream: string) => {
      const found: string[] = []
      for await (const { type } of store.readStream(stream)) found.push(type)
      return found
    }
    const answers = ['WorkflowRequested', 'WorkspacePrepared', 'WorkflowSessionStarted', 'WorkDelivered']
    expect(await types('workflow.wf-1')).toEqual(answers)
    const session = await types('wf-1')
    expect(session.filter((type) => type === 'SessionCreated' || type === 'SessionCompleted')).toHaveLength(2)
    const process = await types('dual-agent-workflow:wf-1')
    expect(process.filter((type) => type === 'StepCompleted')).toHaveLength(3)
    expect(process.at(-1)).toBe('ProcessCompleted')
  })
})
