import { appendFileSync } from 'node:fs'
import { DualAgentWorkflowSaga } from '../../src/agents/dual-agent-workflow-saga.ts'
import { ManagerAgentService, WorkerAgentService } from '../../src/agents/role-services.ts'
import { onReach } from '../../src/core/reach.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'

/*
 * One process that does all of a workflow: the saga, its workspace (it writes down what it is asked), both services. At a
 * named point, the n-th time it gets there, it kills itself; else it ends with the workflow.
 */

export interface WorkflowProgram {
  readonly url: string
  readonly journal: string
  readonly leaseMs: number
  readonly dieAt?: string
  readonly dieAtCount?: number
}

const { url, journal, leaseMs, dieAt, dieAtCount } = JSON.parse(process.argv[2] ?? '{}') as WorkflowProgram
const workItems = [{ id: 'a', title: 'do a', description: 'a', acceptanceCriteria: ['it is done'] }]
const review = { approved: true, qualityScore: 1, feedback: [], recommendations: [] }

let reached = 0
onReach((point) => {
  if (point === dieAt && ++reached === dieAtCount) process.kill(process.pid, 'SIGKILL')
})
const store = await openEventStore(url, { leaseMs })
const executor = {
  execute: async ({ purpose }: { purpose: string }) =>
    purpose === 'work' ? { output: 'done' } : { output: '', structured: review },
}
const services = [new ManagerAgentService({ store, executor }), new WorkerAgentService({ store, executor })]
for (const service of services) await service.start()
const note = (line: string) => appendFileSync(journal, `${line}\n`)
const saga = new DualAgentWorkflowSaga({
  store,
  workspace: {
    prepare: async () => {
      note('prepare')
      return '/work'
    },
    deliver: async () => note('deliver'),
    discard: async () => note('discard'),
  },
})
const id = await saga.request({ task: 'build it', workItems }, 'wf-1')
while ((await saga.status(id)).status === 'running') await new Promise((resolve) => setTimeout(resolve, 10))
await saga.stop()
for (const service of services) await service.stop()
await store.close()
