import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { AgentExecutor } from '../../src/agents/executor.ts'
import { KafkaAgentCoordinator } from '../../src/agents/kafka-agent-coordinator.ts'
import { readCallOutput } from '../../src/agents/large-outputs.ts'
import { type BlobStore, memoryBlobs } from '../../src/store/blobs.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { largeOutputsSuite } from './large-outputs-suite.ts'
import { approval, planOf } from './session/play.ts'

const FIFTY_MB = 50 * 1024 * 1024

largeOutputsSuite('file', { 'json-lines': FIFTY_MB, text: FIFTY_MB, through: FIFTY_MB }, (dir) =>
  openEventStore(`file:${join(dir, 'log.db')}`),
)

const LONG = 'x'.repeat(300_000)
const executor: AgentExecutor = {
  execute: async ({ purpose }) => {
    if (purpose === 'work') return { output: LONG, costUsd: 1 }
    return { output: '', structured: purpose === 'plan' ? planOf({ a: {} }) : approval }
  },
}

/** A memory log whose blobs do as they like. */
function logWith(change: Partial<BlobStore>): Promise<EventStore> {
  return openEventStore('memory:', { largeEvents: { limitBytes: 1_000_000, blobs: { ...memoryBlobs(), ...change } } })
}

async function run(store: EventStore): Promise<string> {
  const coordinator = new KafkaAgentCoordinator({ store, executor, workDirChanges: false })
  const { sessionId, status } = await coordinator.run('x')
  await coordinator.close()
  expect(status).toBe('completed')
  return sessionId
}

it('O3: a paid answer is taken even when its whole text cannot be kept', async () => {
  const store = await logWith({ put: () => Promise.reject(new Error('disk full')) })
  const output = await readCallOutput(store, await run(store), 'work:a:1')
  expect(output).toMatch(/^x+\n… \[100000 characters left out\] …\nx+$/)
})

it('says which blob is missing or damaged, and of which call there is no answer', async () => {
  const gone = await logWith({ get: async () => undefined })
  await expect(readCallOutput(gone, await run(gone), 'work:a:1')).rejects.toMatchObject({ code: 'BLOB_MISSING' })
  const damaged = await logWith({ get: async () => Buffer.from('else') })
  const sessionId = await run(damaged)
  await expect(readCallOutput(damaged, sessionId, 'work:a:1')).rejects.toMatchObject({ code: 'BLOB_CORRUPT' })
  await expect(readCallOutput(damaged, sessionId, 'work:b:1')).rejects.toMatchObject({ code: 'CALL_NOT_FOUND' })
  await expect(readCallOutput(damaged, 'nobody', 'work:a:1')).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })
})
