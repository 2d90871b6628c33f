import { tmpdir } from 'node:os'
import { expect, it } from 'vitest'
import { answersOf, sentItems } from '../../bench/agents/instant.ts'
import { sessionStateAt } from '../../src/agents/fold-session.ts'
import { KafkaAgentCoordinator } from '../../src/agents/kafka-agent-coordinator.ts'
import { sessionStore } from '../../src/agents/session/session-events.ts'
import { sessionSnapshot } from '../../src/agents/session/state-json.ts'
import { SessionLog } from '../../src/agents/session-log.ts'
import { openMemoryStore } from '../../src/store/memory/memory-store.ts'

it('the snapshot that the process running a long session leaves behind is what its events come to', async () => {
  const store = openMemoryStore()
  const answers = answersOf(1)
  const executor = { execute: async ({ purpose }: { purpose: keyof typeof answers }) => ({ output: answers[purpose] }) }
  const coordinator = new KafkaAgentCoordinator({ store, executor, workDirChanges: false, gates: false })
  // Eleven events an item.
  await coordinator.create('build it', { sessionId: 's', workDir: tmpdir(), workItems: sentItems(250) })
  expect(await coordinator.resume('s')).toMatchObject({ status: 'completed' })
  await store.snapshots.idle()
  const snapshot = await store.snapshots.load(sessionSnapshot.name, 's')
  const { streamPosition = 0, state } = snapshot ?? {}
  expect(streamPosition).toBeGreaterThanOrEqual(2_500)
  expect(sessionSnapshot.fromJson!(state)).toEqual((await sessionStateAt(store, 's', streamPosition)).state)
  const loaded = await new SessionLog(sessionStore(store)).load('s')
  expect(loaded.state).toEqual((await sessionStateAt(store, 's')).state)
  await coordinator.close()
})
