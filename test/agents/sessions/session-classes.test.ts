import { describe, expect, it } from 'vitest'
import type { AgentExecutor } from '../../../src/agents/executor.ts'
import { sessionStateAt } from '../../../src/agents/fold-session.ts'
import { KafkaAgentCoordinator } from '../../../src/agents/kafka-agent-coordinator.ts'
import { readSession } from '../../../src/agents/read-sessions.ts'
import { sessionStore } from '../../../src/agents/session/session-events.ts'
import { sessionSnapshot } from '../../../src/agents/session/state-json.ts'
import { SessionLog } from '../../../src/agents/session-log.ts'
import { EventSourcedSessionManager } from '../../../src/agents/sessions/event-sourced-session-manager.ts'
import { SessionEventStore } from '../../../src/agents/sessions/session-event-store.ts'
import { SessionStateProjection } from '../../../src/agents/sessions/session-state-projection.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import { openMemoryStore } from '../../../src/store/memory/memory-store.ts'
import { approval, planOf } from '../session/play.ts'

const executor: AgentExecutor = {
  execute: async ({ purpose }) => {
    if (purpose === 'work') return { output: 'done', costUsd: 0.05 }
    return { output: '', structured: purpose === 'plan' ? planOf({ a: {}, b: {} }) : approval }
  },
}
const gates = [{ gateId: 'tests', command: ['true'] }]

async function ended() {
  const store = openMemoryStore()
  const coordinator = new KafkaAgentCoordinator({ store, executor })
  const view = await coordinator.run('build it', { sessionId: 's', settings: { gates }, workDir: '/tmp' })
  return { store, coordinator, view, manager: new EventSourcedSessionManager({ store, coordinator }) }
}

/** The store, counting the events it hands out. */
function counting(store: EventStore) {
  const read = { events: 0 }
  const counted = new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (name !== 'readStream') return typeof value === 'function' ? value.bind(target) : value
      return async function* (...args: Parameters<EventStore['readStream']>) {
        for await (const event of target.readStream(...args)) {
          read.events++
          yield event
        }
      }
    },
  })
  return { counted, read }
}

describe('SessionEventStore', () => {
  it('loads the events of a session and appends checked ones', async () => {
    const { store, view } = await ended()
    const events = new SessionEventStore(store)
    const loaded = await Array.fromAsync(events.loadEvents('s', { from: 2 }))
    expect(loaded.map(({ streamPosition }) => streamPosition)).toEqual(
      Array.from({ length: view.version - 1 }, (_, i) => i + 2),
    )
    const copied = loaded.map(({ type, data }) => ({ type, data }) as (typeof loaded)[number])
    const first = (await Array.fromAsync(events.loadEvents('s', { maxCount: 1 })))[0]!
    await events.appendEvents(
      'copy',
      [first, ...copied].map(({ type, data }) => ({ type, data }) as never),
    )
    expect((await sessionStateAt(store, 'copy')).state).toEqual((await sessionStateAt(store, 's')).state)
    const wrong = [{ type: 'SessionPaused', data: {} }] as never
    await expect(events.appendEvents('s', wrong)).rejects.toMatchObject({ code: 'INVALID_EVENT' })
    expect((await readSession(store, 's')).version).toBe(view.version)
  })
})

describe('SessionStateProjection', () => {
  it('is the session after each event, whatever comes twice; nothing may be missing', async () => {
    const { store, view } = await ended()
    const projection = new SessionStateProjection(store, 's')
    const events = await Array.fromAsync(new SessionEventStore(store).loadEvents('s'))
    for (const event of events) {
      await projection.apply(event)
      await projection.apply(event)
      expect(projection.version).toBe(event.streamPosition)
    }
    expect(projection.view()).toEqual(view)
    await expect(new SessionStateProjection(store, 's').apply(events[1]!)).rejects.toThrow(
      'Event 1 of session "s" is due',
    )
    expect((await new SessionStateProjection(store, 's').catchUp({ to: 3 })).version).toBe(3)
  })

  it('takes in nothing of another session, and each event once when two bring them', async () => {
    const { store, coordinator, view } = await ended()
    const { sessionId } = await coordinator.fork('s', { at: view.version - 8 })
    const projection = new SessionStateProjection(store, sessionId)
    const [first] = await Array.fromAsync(new SessionEventStore(store).loadEvents('s', { maxCount: 1 }))
    await expect(projection.apply(first!)).rejects.toThrow(`An event of "s" is not one of session "${sessionId}"`)
    expect(projection.version).toBe(0)
    await coordinator.resume(sessionId)
    await Promise.all([projection.catchUp(), projection.catchUp()])
    expect(projection.view()).toEqual(await readSession(store, sessionId))
  })

  it('of a fork begins with the other session', async () => {
    const { store, coordinator, view } = await ended()
    const { sessionId } = await coordinator.fork('s', { at: view.version - 8 })
    const projection = await new SessionStateProjection(store, sessionId).catchUp()
    expect(projection.view().workItems.map(({ id }) => id)).toEqual(view.workItems.map(({ id }) => id))
  })
})

describe('EventSourcedSessionManager', () => {
  it('rebuilds, lists, forks and resumes', async () => {
    const { manager, view } = await ended()
    expect(await manager.rebuildSessionState('s')).toEqual(view)
    expect(await manager.rebuildSessionState('s', { at: 1 })).toMatchObject({ version: 1, workItems: [] })
    const { sessionId } = await manager.fork('s', { at: 3 })
    expect(await manager.resume(sessionId)).toMatchObject({ status: 'completed' })
    expect((await manager.list()).map((session) => session.sessionId)).toEqual([sessionId, 's'])
    await expect(manager.rebuildSessionState('nobody')).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })
  })

  it('a snapshot is the state, and saves the next process the history', async () => {
    const { store, manager, view } = await ended()
    expect(await manager.createSnapshot('s')).toEqual({ sessionId: 's', version: view.version })
    const { counted, read } = counting(store)
    const { state, version } = await new SessionLog(sessionStore(counted)).load('s')
    expect(version).toBe(view.version)
    expect(state).toEqual((await sessionStateAt(store, 's')).state)
    expect(read.events).toBe(1)
    await expect(manager.createSnapshot('nobody')).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })
  })

  it('a snapshotted state goes through JSON unchanged at every moment of a session', async () => {
    const { store, view } = await ended()
    for (let at = 1; at <= view.version; at++) {
      const { state } = await sessionStateAt(store, 's', at)
      const text = JSON.stringify(sessionSnapshot.toJson!(state))
      expect(sessionSnapshot.fromJson!(JSON.parse(text)), `at ${at}`).toEqual(state)
    }
  })
})
