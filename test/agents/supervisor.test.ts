import { afterEach, expect, it, vi } from 'vitest'
import { KafkaAgentCoordinator } from '../../src/agents/kafka-agent-coordinator.ts'
import { Reaper } from '../../src/agents/reaper.ts'
import { sessionStore } from '../../src/agents/session/session-events.ts'
import { SessionLog } from '../../src/agents/session-log.ts'
import { Supervisor } from '../../src/agents/supervisor.ts'
import { silentLogger } from '../../src/core/logger.ts'
import { openMemoryStore } from '../../src/store/memory/memory-store.ts'
import { systemClock } from '../../src/store/system.ts'
import { until } from './executors/support.ts'

afterEach(() => void vi.useRealTimers())

it('a supervisor whose round takes long queues no others behind it', async () => {
  const store = openMemoryStore()
  const coordinator = new KafkaAgentCoordinator({ store })
  for (const sessionId of ['a', 'b']) await coordinator.create('x', { sessionId, settings: { dispatch: 'topics' } })
  const sessions = new SessionLog(sessionStore(store))
  const slow = Promise.withResolvers<void>()
  const loaded = sessions.load.bind(sessions)
  const load = vi.spyOn(sessions, 'load')
  load.mockImplementationOnce(async (sessionId) => slow.promise.then(() => loaded(sessionId)))
  const reaper = new Reaper(sessions, store.presence, 'o')
  const options = { sessions, store, reaper, reapEveryMs: 500, clock: systemClock, owner: 'o', logger: silentLogger }
  const supervisor = new Supervisor(options)
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  await supervisor.start()
  vi.advanceTimersByTime(60_000)
  slow.resolve()
  await until(() => load.mock.calls.length >= 2)
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(load.mock.calls).toEqual([['a'], ['b']])
  vi.advanceTimersByTime(500)
  await until(() => load.mock.calls.length >= 4)
  await supervisor.stop()
  expect(load).toHaveBeenCalledTimes(4)
  await coordinator.close()
  await store.close()
})
