import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { AgentExecutor } from '../../src/agents/executor.ts'
import { KafkaAgentCoordinator } from '../../src/agents/kafka-agent-coordinator.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { coordinatorSuite } from './coordinator-suite.ts'
import { approval, planOf } from './session/play.ts'

const folders: string[] = []
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

async function openFile() {
  const folder = await mkdtemp(join(tmpdir(), 'duolog-coordinator-'))
  folders.push(folder)
  return openEventStore(`file:${join(folder, 'log.db')}`)
}

coordinatorSuite('file', openFile)

const whenLong = process.env.DUOLOG_LONG === '1' ? describe : () => {}

whenLong('a plan of 500 items', () => {
  it('is worked off through a file, each item once', async () => {
    const store = await openFile()
    const plan = planOf(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`i${i}`, {}])))
    const worked: (string | undefined)[] = []
    const execute: AgentExecutor['execute'] = async ({ purpose, workItemId }) => {
      if (purpose === 'work') worked.push(workItemId)
      return {
        output: 'done',
        costUsd: 0,
        ...(purpose !== 'work' && { structured: purpose === 'plan' ? plan : approval }),
      }
    }
    const settings = { maxConcurrentTasks: 4 }
    const coordinator = new KafkaAgentCoordinator({ store, executor: { execute }, settings, workDirChanges: false })
    const view = await coordinator.run('build it')
    await coordinator.close()
    await store.close()
    expect(view).toMatchObject({
      status: 'completed',
      totals: { accepted: 500, workerCalls: 500, managerCalls: 501 },
    })
    expect(new Set(worked).size).toBe(500)
    expect(worked).toHaveLength(500)
  }, 120_000)
})
