/*
 * One process of the system: `node agent-process.ts coordinator|manager|worker LOG`. Start as many of each as you like,
 * on as many machines as can reach the log; they share the work. They know nothing of each other but the log.
 * Or, by itself: `node agent-process.ts orchestrator LOG SESSION` drives one session and makes all its calls.
 * `--executor claude` before all that has Claude do the work.
 */
import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { openEventStore } from 'duolog'
import { KafkaAgentCoordinator, type KafkaAgentCoordinatorOptions } from 'duolog/agents'
import { type ExecutorName, executorNamed } from './executor.ts'

export type Role = 'coordinator' | 'manager' | 'worker' | 'orchestrator'

/** On Kafka a process counts as dead after this much silence. On a file its lock tells at once. */
const LEASE_MS = 3_000

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { executor: { type: 'string', default: 'script' } },
})
const [role, log, sessionId] = positionals as [Role, string, string | undefined]
const executor = executorNamed(values.executor as ExecutorName)

/** What each role can do. A gate judges the worker's result, so it does not run where the worker runs. */
const duties: Record<Role, Partial<KafkaAgentCoordinatorOptions>> = {
  coordinator: {},
  manager: { executors: { manager: executor }, gates: false },
  worker: { executors: { worker: executor }, gates: false },
  orchestrator: { executor },
}

if (!(role in duties) || log === undefined) {
  console.error('Usage: node agent-process.ts coordinator|manager|worker LOG, or orchestrator LOG SESSION')
  process.exit(2)
}

const store = await openEventStore(log, { leaseMs: LEASE_MS })
const service = new KafkaAgentCoordinator({
  store,
  // The name in every claim of this process. A restarted process is another owner: it must not answer for the dead.
  owner: `${role}-${process.pid}-${randomUUID().slice(0, 8)}`,
  concurrency: 2,
  ...duties[role],
})
if (role !== 'orchestrator') await service.start()
process.send?.('ready')

// An orderly end hands running calls back. A kill -9 cannot; that is what the log and the coordinator are for.
for (const signal of ['SIGTERM', 'SIGINT', 'disconnect'] as const) process.once(signal, () => void stop())

/** Safe to call again: both close only once. */
async function stop(): Promise<void> {
  await service.close()
  await store.close()
  process.exit()
}

// Takes the session over from whoever drove it before, as soon as that one is known to be gone.
if (role === 'orchestrator') await service.resume(sessionId)
