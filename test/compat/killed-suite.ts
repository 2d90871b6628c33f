import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { readSession } from '../../src/agents/read-sessions.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { tempFolder } from '../agents/executors/support.ts'
import { startProgram } from '../support/program.ts'
import type { HostProgram } from './host-program-main.ts'

const PROGRAM = new URL('./host-program-main.ts', import.meta.url)

/** P7 What was answered is not asked again; what was under way is in doubt, seen, and asked once more. */
export function killedSuite(name: string, urlIn: (folder: string) => string): void {
  it(`a host killed in the middle of a call is just started again (${name})`, async () => {
    const folder = tempFolder()
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const [log, journal, sessions] = [urlIn(folder), join(folder, 'journal'), join(folder, 'sessions')]
    mkdirSync(sessions)
    const config: HostProgram = { log, folder: sessions, journal, sessionId: 'job-1' }
    const file = () => JSON.parse(readFileSync(join(sessions, 'job-1.json'), 'utf8'))

    const first = startProgram(PROGRAM, { ...config, hangsIn: 'work:b:1' })
    await first.said('hangs in work:b:1')
    await expect.poll(() => file().iterations.length).toBe(3)
    first.process.kill('SIGKILL')
    expect(await first.ended).toMatchObject({ signal: 'SIGKILL' })
    expect(file()).toMatchObject({ id: 'job-1', status: 'running' })

    const second = startProgram(PROGRAM, config)
    expect(await second.ended).toMatchObject({ code: 0, errors: '' })
    const asked = readFileSync(journal, 'utf8').trim().split('\n')
    expect(asked).toEqual(['plan:1', 'work:a:1', 'review:a:1', 'work:b:1', 'work:b:1~2', 'review:b:1'])
    expect(second.lines.filter((line) => line.startsWith('heard'))).toEqual([
      'heard AGENT_COORDINATION resumed',
      'heard MANAGER_TASK_ASSIGNMENT retry',
      'heard WORKER_PROGRESS_UPDATE completed',
      'heard MANAGER_WORKER_HANDOFF',
      'heard MANAGER_QUALITY_CHECK',
      'heard WORKFLOW_TRANSITION completion',
      'heard EXECUTION_COMPLETE completed',
    ])
    expect(second.lines.at(-1)).toContain('"completedWorkItems":2')
    expect(readdirSync(sessions)).toEqual(['job-1.json'])
    expect(file()).toMatchObject({ status: 'completed', iterations: { length: 5 } })

    const store = await openEventStore(log)
    const { status, totals } = await readSession(store, 'job-1')
    await store.close()
    expect({ status, totals }).toMatchObject({ status: 'completed', totals: { workerCalls: 3, inDoubtCalls: 1 } })
  })
}
