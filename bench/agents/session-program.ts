import { writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { instantExecutor, sentItems } from './instant.ts'

/*
 * A process that runs one session on the built package: says each call as it begins it. `create N`: a new session of so
 * many work items; `resume`: goes on with the one there is.
 */

interface Built {
  readonly openEventStore: typeof import('../../src/store/open-event-store.ts').openEventStore
  readonly KafkaAgentCoordinator: typeof import('../../src/agents/kafka-agent-coordinator.ts').KafkaAgentCoordinator
}

const [url = '', count = '0', delayMs = '0'] = process.argv.slice(2)
const built = (name: string): Promise<Built> => import(new URL(`../../dist/${name}.js`, import.meta.url).href)
const { openEventStore } = await built('index')
const { KafkaAgentCoordinator } = await built('agents')

const store = await openEventStore(url)
const coordinator = new KafkaAgentCoordinator({
  store,
  executor: instantExecutor({ delayMs: Number(delayMs), onCall: ({ callId }) => writeSync(1, `${callId}\n`) }),
  workDirChanges: false,
  gates: false,
})
const settings = { maxConcurrentTasks: 1 }
const id =
  count === '0'
    ? undefined
    : await coordinator.create('Measure', { workDir: tmpdir(), settings, workItems: sentItems(Number(count)) })
await coordinator.resume(id)
await coordinator.close()
await store.close()
