import { writeSync } from 'node:fs'
import { journaledExecutor } from '../../src/agents/executors/journal.ts'
import { scriptedExecutor } from '../../src/agents/executors/scripted-executor.ts'
import { KafkaAgentCoordinator } from '../../src/agents/kafka-agent-coordinator.ts'
import { onReach } from '../../src/core/reach.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'

/* Runs a session, and is frozen (SIGSTOP, until somebody wakes it up) when it comes to a point of its first call. */

export interface FrozenClaim {
  readonly logUrl: string
  readonly workDir: string
  readonly script: object
  readonly journal: string
  readonly freezeAt: string
}

const { logUrl, workDir, script, journal, freezeAt } = JSON.parse(process.argv[2] ?? '{}') as FrozenClaim
const stop = onReach((point) => {
  if (point !== freezeAt) return
  stop()
  writeSync(1, 'frozen\n')
  process.kill(process.pid, 'SIGSTOP')
})
const store = await openEventStore(logUrl)
const executor = journaledExecutor(scriptedExecutor(script), journal)
const coordinator = new KafkaAgentCoordinator({ store, executor, workDirChanges: false })
const ended = await coordinator.run('x', { sessionId: 's1', workDir }).catch((error: { code?: string }) => error)
writeSync(1, `${JSON.stringify('code' in ended ? ended.code : 'status' in ended ? ended.status : ended)}\n`)
await coordinator.close()
await store.close()
