import { afterEach, describe, expect, it } from 'vitest'
import { compareSessions } from '../../src/agents/compare-sessions.ts'
import type { ForkOptions } from '../../src/agents/coordinator-options.ts'
import type { AgentExecutor, AgentRequest } from '../../src/agents/executor.ts'
import { foldSession } from '../../src/agents/fold-session.ts'
import { KafkaAgentCoordinator } from '../../src/agents/kafka-agent-coordinator.ts'
import { listSessions, readSession } from '../../src/agents/read-sessions.ts'
import type { SessionState } from '../../src/agents/session/state.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { approval, planOf, rejection } from './session/play.ts'

const plan = planOf({ a: {}, b: { dependencies: ['a'] }, c: { dependencies: ['b'] } })

const unfit: [ForkOptions, RegExp][] = [
  [{ at: 999 }, /at: session "source" ends at version/],
  [{ at: 1.5 }, /at: must be a whole number/],
  [{ settings: { 'models.worker': 7 } }, /models\.worker/],
  [{ settings: { 'models.worker': '' } }, /models\.worker: must not be empty/],
  [{ settings: { nonsense: true } }, /nonsense/],
  [{ settings: { '__proto__.x': 1 } }, /__proto__/],
  [{ workItems: planOf({ d: { dependencies: ['zz'] } }).workItems }, /"d" depends on "zz"/],
  [
    { workItems: planOf({ d: { dependencies: ['e'] }, e: { dependencies: ['d'] } }).workItems },
    /in a cycle: d → e → d/,
  ],
  [{ workItems: ['d', 'd'].flatMap((id) => planOf({ [id]: {} }).workItems) }, /workItems\[1\]\.id: "d" is already/],
]

/** Answers at once; remembers whom it was asked for, and with which model. */
class Agents implements AgentExecutor {
  readonly asked: AgentRequest[] = []
  /** Work items that the review rejects once. */
  readonly rejectOnce: Set<string>

  constructor(rejectOnce: readonly string[] = []) {
    this.rejectOnce = new Set(rejectOnce)
  }

  async execute(request: AgentRequest) {
    this.asked.push(request)
    if (request.purpose === 'plan') return { output: '', structured: plan, costUsd: 0.01 }
    if (request.purpose === 'work') return { output: `did ${request.workItemId}`, costUsd: 0.05 }
    const structured = this.rejectOnce.delete(request.workItemId ?? '') ? rejection : approval
    return { output: '', structured, costUsd: 0.01 }
  }

  purposes(): string[] {
    return this.asked.map(({ purpose, workItemId }) => [purpose, workItemId].filter(Boolean).join(' '))
  }
}

/** Forks over any log: `open` gives a fresh one. */
export function forkSuite(name: string, open: () => Promise<EventStore>): void {
  const opened: { close(): Promise<void> }[] = []
  afterEach(async () => {
    for (const thing of opened.splice(0).reverse()) await thing.close()
  })

  async function start(executor: AgentExecutor, store?: EventStore) {
    const log = store ?? (await open())
    const coordinator = new KafkaAgentCoordinator({ store: log, executor })
    opened.push(...(store ? [] : [log]), coordinator)
    return { store: log, coordinator }
  }

  async function ended(settings = {}) {
    const first = await start(new Agents(['b']))
    const view = await first.coordinator.run('build it', { sessionId: 'source', settings })
    expect(view.status).toBe('completed')
    return { ...first, view }
  }

  /** The event before the last review's answer, with which the session ended. */
  async function lastOpen(store: EventStore): Promise<number> {
    const answers = await Array.fromAsync(foldSession(store, 'source'))
    return answers.findLast(({ event }) => event.type === 'AgentCallCompleted')!.event.streamPosition - 1
  }

  async function forkAt(store: EventStore, at: number, states: readonly SessionState[]): Promise<void> {
    const agents = new Agents()
    const { coordinator } = await start(agents, store)
    const { sessionId, atVersion } = await coordinator.fork('source', { at })
    expect(atVersion).toBeGreaterThanOrEqual(at)
    const fork = await coordinator.resume(sessionId)
    expect(fork).toMatchObject({ status: 'completed', forkedFrom: { sessionId: 'source', version: atVersion } })
    expect(fork.workItems.map(({ id, status }) => `${id} ${status}`)).toEqual([
      'a accepted',
      'b accepted',
      'c accepted',
    ])
    const { costUsd, workerCalls, managerCalls } = fork.totals
    expect(costUsd).toBeCloseTo(0.05 * workerCalls + 0.01 * managerCalls, 6)
    const { planned, workItems } = states[atVersion - 1]!
    const accepted = [...workItems.values()].filter(({ status }) => status === 'accepted')
    const bought = [...accepted.map(({ id }) => `work ${id}`), ...(planned ? ['plan'] : [])]
    expect(agents.purposes().filter((purpose) => bought.includes(purpose))).toEqual([])
    expect(new Set(agents.purposes()).size, `at ${at}: nothing is bought twice`).toBe(agents.asked.length)
  }

  describe(`a fork (${name})`, () => {
    it('goes on from any event of another session, buying only what that one had not bought by then', async () => {
      const { store, view } = await ended()
      const states: SessionState[] = []
      for await (const { state } of foldSession(store, 'source')) states.push(state)
      const last = await lastOpen(store)
      expect(last).toBeLessThan(view.version)
      for (let at = 1; at <= last; at += name === 'memory' ? 1 : 7) await forkAt(store, at, states)
    }, 180_000) // dozens of sessions

    it('of an ended session has something left to do, or is refused with the last event it can go on from', async () => {
      const { store, coordinator, view } = await ended()
      const last = await lastOpen(store)
      const advice = `At ${last} or before it can go on (duolog fork source --at ${last})`
      for (const options of [{}, { at: view.version }, { at: last + 1 }, { settings: { maxRevisions: 9 } }]) {
        const refusal = coordinator.fork('source', { ...options, sessionId: 'child' })
        await expect(refusal).rejects.toMatchObject({
          code: 'INVALID_ARGUMENT',
          message: expect.stringContaining(advice),
        })
      }
      await expect(readSession(store, 'child')).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })
      const gates = [{ gateId: 'more', scope: 'session', command: ['true'] }]
      const { sessionId } = await coordinator.fork('source', { settings: { gates } })
      expect(await coordinator.show(sessionId)).toMatchObject({
        status: 'running',
        forkedFrom: { version: view.version },
      })
    })

    it('of a cancelled session goes on with what it was cancelled in', async () => {
      const { store, coordinator } = await start(new Agents())
      await coordinator.create('build it', { sessionId: 'source' })
      await coordinator.cancel('source')
      const { sessionId } = await coordinator.fork('source')
      expect(await coordinator.resume(sessionId)).toMatchObject({ status: 'completed' })
      expect((await readSession(store, 'source')).status).toBe('cancelled')
    })

    it('leaves the other session as it was', async () => {
      const { store, coordinator, view } = await ended()
      const { sessionId } = await coordinator.fork('source', { at: 3 })
      await coordinator.resume(sessionId)
      expect(await readSession(store, 'source')).toEqual(view)
      expect((await listSessions(store)).map((session) => session.sessionId).sort()).toEqual(
        [sessionId, 'source'].sort(),
      )
    })

    it('takes other settings, another task and another plan', async () => {
      const { store } = await ended()
      const agents = new Agents()
      const { coordinator } = await start(agents, store)
      const accepted = await versionOf(store, 'WorkItemAccepted')
      const { workItems } = planOf({ d: { dependencies: ['a'] } })
      const { sessionId } = await coordinator.fork('source', {
        at: accepted,
        task: 'build it otherwise',
        settings: { 'models.worker': 'another-model', maxRevisions: 0 },
        workItems,
      })
      const fork = await coordinator.resume(sessionId)
      expect(fork).toMatchObject({ status: 'completed', task: 'build it otherwise' })
      expect(fork.workItems.map(({ id }) => id)).toEqual(['a', 'd'])
      expect(agents.purposes()).toEqual(['work d', 'review d'])
      expect(agents.asked[0]).toMatchObject({
        model: 'another-model',
        prompt: expect.stringContaining('build it otherwise'),
      })
    })

    it('may go back to the default of a setting', async () => {
      const { store } = await ended({ models: { worker: 'a-model', manager: 'other' }, maxRevisions: 7 })
      const { coordinator } = await start(new Agents(), store)
      const settings = { 'models.worker': null, maxRevisions: null }
      const { sessionId } = await coordinator.fork('source', { at: 3, settings })
      for await (const { state } of foldSession(store, sessionId, { to: 1 })) {
        expect(state.settings).toMatchObject({ models: { manager: 'other' }, maxRevisions: 2 })
        expect(state.settings.models).not.toHaveProperty('worker')
      }
    })

    it('may be told something else, and changes the policy of one purpose alone', async () => {
      const { store } = await ended({ inDoubt: 'ask' })
      const agents = new Agents()
      const { coordinator } = await start(agents, store)
      const settings = { 'instructions.work': 'Write the test first.', 'inDoubt.plan': 'retry' }
      const { sessionId } = await coordinator.fork('source', { at: 3, settings })
      await coordinator.resume(sessionId)
      const told = agents.asked.filter(({ prompt }) => prompt.endsWith('\n\nWrite the test first.'))
      expect(told.map(({ purpose }) => purpose)).toEqual(['work', 'work', 'work'])
      for await (const { state } of foldSession(store, sessionId, { to: 1 })) {
        expect(state.settings.inDoubt).toEqual({ plan: 'retry', work: 'ask', review: 'ask' })
      }
    })

    it("keeps a person's yes to what it keeps, and asks anew for another plan, other items and its own result", async () => {
      const first = await start(new Agents())
      const approvals = { plan: true, workItems: ['a'], completion: true }
      await first.coordinator.run('build it', { sessionId: 'source', settings: { approvals } })
      for (const approvalId of ['plan', 'work:a', 'completion']) {
        await first.coordinator.answerApproval('source', approvalId, { approved: true })
        await first.coordinator.resume('source')
      }
      expect(await readSession(first.store, 'source')).toMatchObject({ status: 'completed' })
      const pending = async (options: Parameters<typeof first.coordinator.fork>[1]) => {
        const { sessionId } = await first.coordinator.fork('source', options)
        const { approvals: asked } = await first.coordinator.resume(sessionId)
        return asked.map(({ approvalId, status }) => `${approvalId} ${status}`)
      }
      expect(await pending({})).toEqual(['plan given', 'work:a given', 'completion requested'])
      const { workItems } = planOf({ a: {}, d: {} })
      const begun = await versionOf(first.store, 'TaskAssigned')
      expect(await pending({ at: begun, workItems })).toEqual(['plan requested'])
    })

    it('has a budget of its own', async () => {
      const { coordinator } = await ended({ budget: { maxCalls: 9 } })
      const { sessionId } = await coordinator.fork('source', { at: 3, settings: { 'budget.maxCalls': 7 } })
      expect(await coordinator.resume(sessionId)).toMatchObject({ status: 'completed', budget: { calls: 7 } })
    })

    it('may be forked again', async () => {
      const { store } = await ended()
      const agents = new Agents()
      const { coordinator } = await start(agents, store)
      const accepted = await versionOf(store, 'WorkItemAccepted')
      const first = await coordinator.fork('source', { at: accepted, sessionId: 'child' })
      await coordinator.resume(first.sessionId)
      await coordinator.fork('child', {
        at: await versionOf(store, 'WorkItemAccepted', 'child'),
        sessionId: 'grandchild',
      })
      const asked = agents.asked.length
      const fork = await coordinator.resume('grandchild')
      expect(fork.workItems.every(({ status }) => status === 'accepted')).toBe(true)
      expect(agents.purposes().slice(asked)).toEqual(['work c', 'review c'])
    })

    it('is compared with the one it comes from', async () => {
      const { store, coordinator } = await ended()
      const { sessionId } = await coordinator.fork('source', { at: await versionOf(store, 'WorkItemAccepted') })
      await coordinator.resume(sessionId)
      const comparison = await compareSessions(store, 'source', sessionId)
      expect(comparison).toMatchObject({
        a: { sessionId: 'source', status: 'completed' },
        b: { sessionId, status: 'completed', totals: { workerCalls: 2, managerCalls: 2 } },
        common: { sessionId: 'source' },
        difference: { workerCalls: -2, managerCalls: -3, revisions: -1, accepted: 0, costUsd: -0.13 },
      })
      expect(comparison.workItems.find(({ id }) => id === 'a')).toMatchObject({
        a: { costUsd: 0.06 },
        b: { costUsd: 0 },
      })
      expect((await compareSessions(store, sessionId, 'source')).common).toEqual(comparison.common)
    })

    it('exists once, however often it is asked for', async () => {
      const { store, coordinator } = await ended()
      const [one, two] = await Promise.all([
        coordinator.fork('source', { at: 3, sessionId: 'child' }),
        coordinator.fork('source', { at: 3, sessionId: 'child' }),
      ])
      expect(one).toEqual(two)
      const before = await readSession(store, 'child')
      await expect(coordinator.fork('source', { at: 9, sessionId: 'child' })).rejects.toMatchObject({
        code: 'SESSION_EXISTS',
      })
      expect(await readSession(store, 'child')).toEqual(before)
    })

    it('refuses what does not fit', async () => {
      const { store, coordinator } = await ended()
      for (const [options, message] of unfit) {
        await expect(coordinator.fork('source', { ...options, sessionId: 'child' })).rejects.toThrow(message)
        await expect(readSession(store, 'child')).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })
      }
    })

    it('needs a session to come from', async () => {
      const { coordinator } = await start(new Agents())
      await expect(coordinator.fork('nobody')).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })
    })
  })
}

async function versionOf(store: EventStore, type: string, stream = 'source'): Promise<number> {
  for await (const { event } of foldSession(store, stream)) if (event.type === type) return event.streamPosition
  throw new Error(`no ${type} in ${stream}`)
}
