/*
 * One process of the system: `node agent-process.ts coordinator|manager|worker LOG`. Start as many of each as you like,
 * on as many machines as can reach the log; they share the work. They know nothing of each other but the log.
 */
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { openEventStore } from 'duolog'
import { KafkaAgentCoordinator, type KafkaAgentCoordinatorOptions, scriptedExecutor } from 'duolog/agents'

export type Role = 'coordinator' | 'manager' | 'worker'

/** On Kafka a process counts as dead after this much silence. On a file its lock tells at once. */
const LEASE_MS = 3_000

const [role, log] = process.argv.slice(2) as [Role, string]

// With real agents this line is all that changes: processExecutor({ … }), or an executor of your own.
const executor = scriptedExecutor(fileURLToPath(new URL('./dual-agent.script.json', import.meta.url)))

/** What each role can do. A gate judges the worker's result, so it does not run where the worker runs. */
const duties: Record<Role, Partial<KafkaAgentCoordinatorOptions>> = {
  coordinator: {},
  manager: { executors: { manager: executor }, gates: false },
  worker: { executors: { worker: executor }, gates: false },
}

if (!(role in duties) || log === undefined) {
  console.error('Usage: node agent-process.ts coordinator|manager|worker LOG')
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
await service.start()
process.send?.('ready')

// An orderly end hands running calls back. A kill -9 cannot; that is what the log and the coordinator are for.
for (const signal of ['SIGTERM', 'SIGINT', 'disconnect'] as const) process.once(signal, () => void stop())

/** Safe to call again: both close only once. */
async function stop(): Promise<void> {
  await service.close()
  await store.close()
  process.exit()
}
