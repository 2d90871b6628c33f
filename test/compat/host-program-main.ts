/*
 * A host's program, to be killed: it starts the same session each time. What it is asked and what it hears it says on
 * stdout, a line each; where it is to hang it does no more.
 */
import { appendFileSync } from 'node:fs'
import type { AgentExecutor } from '../../src/agents/executor.ts'
import type { CoordinationEvent } from '../../src/compat/host-types.ts'
import { SDKDualAgentCoordinator } from '../../src/compat/sdk-dual-agent-coordinator.ts'
import { approval, planOf } from '../agents/session/play.ts'

export interface HostProgram {
  readonly log: string
  readonly folder: string
  readonly journal: string
  readonly sessionId: string
  /** The call it hangs in. */
  readonly hangsIn?: string
}

const { log, folder, journal, sessionId, hangsIn }: HostProgram = JSON.parse(process.argv[2]!)
const plan = planOf({ a: {}, b: { dependencies: ['a'] } })

const executor: AgentExecutor = {
  async execute({ callId, purpose }) {
    appendFileSync(journal, `${callId}\n`)
    if (callId === hangsIn) {
      console.log(`hangs in ${callId}`)
      await new Promise((resolve) => setTimeout(resolve, 600_000))
    }
    if (purpose === 'work') return { output: `did ${callId}`, costUsd: 0.1 }
    return { output: '', structured: purpose === 'plan' ? plan : approval, costUsd: 0.1 }
  },
}

const extras = { log, executor, sessionId, sessionFiles: folder, workDirChanges: false, reapEveryMs: 50 }
const coordinator = new SDKDualAgentCoordinator({ maxConcurrentTasks: 1 }, extras)
coordinator.on('coordination_event', ({ type, data }: CoordinationEvent) => {
  console.log(`heard ${type} ${String(data.phase ?? data.newPhase ?? data.reason ?? data.status ?? '')}`.trim())
})
await coordinator.startCoordination('build it', { workDir: folder })
console.log(`state ${JSON.stringify(coordinator.getWorkflowState())}`)
