import { afterEach, describe, expect, it, vi } from 'vitest'
import type { KafkaAgentCoordinatorOptions } from '../../src/agents/coordinator-options.ts'
import { type AgentExecutor, type AgentRequest, ExecutorFailedError } from '../../src/agents/executor.ts'
import type { GateRunner } from '../../src/agents/gates/gate-runner.ts'
import { KafkaAgentCoordinator } from '../../src/agents/kafka-agent-coordinator.ts'
import { ManagerAgentService, WorkerAgentService } from '../../src/agents/role-services.ts'
import { sessionStore } from '../../src/agents/session/session-events.ts'
import { SessionLog } from '../../src/agents/session-log.ts'
import { DuologError } from '../../src/core/errors.ts'
import type { Announcement, EventStore } from '../../src/store/event-store.ts'
import { waitForEvent } from '../../src/testing/wait-for-event.ts'
import { withMethods } from '../support/with-methods.ts'
import { errorOf, until } from './executors/support.ts'
import { approval, planOf, rejection } from './session/play.ts'

const passes: GateRunner = async () => ({ passed: true, score: 1, explanation: 'exit code 0' })

/** An executor that answers at once, and remembers what it was asked. */
class Agents implements AgentExecutor {
  readonly asked: AgentRequest[] = []
  answer: (request: AgentRequest) => unknown
  onWork: (request: AgentRequest, signal: AbortSignal) => Promise<void> = async () => {}

  constructor(plan: unknown, answer?: (request: AgentRequest) => unknown) {
    this.answer = answer ?? ((request) => (request.purpose === 'plan' ? plan : approval))
  }

  async execute(request: AgentRequest, { signal }: { signal: AbortSignal }) {
    this.asked.push(request)
    if (request.purpose !== 'work') return { output: '', structured: this.answer(request), costUsd: 0.01 }
    await this.onWork(request, signal)
    return { output: `did ${request.workItemId}`, costUsd: 0.05 }
  }

  count(purpose: string): number {
    return this.asked.filter((request) => request.purpose === purpose).length
  }
}

const three = planOf({ a: {}, b: {}, c: { dependencies: ['a', 'b'] } })
const many500 = planOf(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`i${i}`, {}])))

/** The store as seen by a process that dies: from then on it is not there for others, and does nothing any more. */
function ofMortal(store: EventStore): { store: EventStore; die(): Promise<void> } {
  let isDead = false
  const announced: Announcement[] = []
  const announce = async (owner: string) => {
    announced.push(await store.presence.announce(owner))
    return announced.at(-1)!
  }
  const presence = { announce, liveness: (owner: string) => store.presence.liveness(owner) }
  const mortal = new Proxy(store, {
    get(target, name) {
      if (name === 'presence') return presence
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return isDead ? () => new Promise(() => {}) : value.bind(target)
    },
  })
  const die = async () => {
    isDead = true
    for (const announcement of announced) await announcement.withdraw()
  }
  return { store: mortal, die }
}

/** The coordinator's behaviour over any log: `open` gives a fresh one. */
export function coordinatorSuite(name: string, open: () => Promise<EventStore>): void {
  const opened: { close(): Promise<void> }[] = []
  afterEach(async () => {
    for (const thing of opened.splice(0).reverse()) await thing.close()
  })

  async function openStore(): Promise<EventStore> {
    const store = await open()
    opened.push(store)
    return store
  }

  function coordinator(store: EventStore, options: Partial<KafkaAgentCoordinatorOptions>): KafkaAgentCoordinator {
    const made = new KafkaAgentCoordinator({ store, gates: passes, reapEveryMs: 20, workDirChanges: false, ...options })
    opened.push(made)
    return made
  }

  describe(`a local session (${name})`, () => {
    it('runs from task to completion; N accepted items cost N worker calls', async () => {
      const agents = new Agents(three)
      const view = await coordinator(await openStore(), { executor: agents }).run('build it')
      expect(view).toMatchObject({
        status: 'completed',
        totals: { accepted: 3, workerCalls: 3, managerCalls: 4, costUsd: 0.19 },
      })
      expect(agents.count('work')).toBe(3)
    })

    it('works at most maxConcurrentTasks items at one time', async () => {
      let now = 0
      let most = 0
      const agents = new Agents(planOf({ a: {}, b: {}, c: {}, d: {}, e: {} }))
      agents.onWork = async () => {
        most = Math.max(most, ++now)
        await new Promise((resolve) => setTimeout(resolve, 100))
        now -= 1
      }
      await coordinator(await openStore(), { executor: agents, settings: { maxConcurrentTasks: 2 } }).run('build it')
      expect(most).toBe(2)
    })

    it('hands a rejected item back with the feedback, and ends failed when that does not help', async () => {
      const agents = new Agents(planOf({ a: {} }), (request) =>
        request.purpose === 'plan' ? planOf({ a: {} }) : rejection,
      )
      const view = await coordinator(await openStore(), { executor: agents, settings: { maxRevisions: 1 } }).run(
        'build it',
      )
      expect(view).toMatchObject({ status: 'failed', totals: { revisions: 1, workerCalls: 2 } })
      expect(agents.asked.filter((request) => request.purpose === 'work')[1]?.prompt).toContain('Round the total')
    })

    it('is paused by a person: what runs finishes, nothing else begins, and resume asks nothing twice', async () => {
      const store = await openStore()
      const agents = new Agents(planOf({ a: {} }))
      const working = Promise.withResolvers<void>()
      const held = Promise.withResolvers<void>()
      agents.onWork = async () => {
        working.resolve()
        await held.promise
      }
      const first = coordinator(store, { executor: agents })
      const running = first.run('build it', { sessionId: 's' })
      await working.promise
      const over = vi.fn()
      void running.then(over)
      await coordinator(store, {}).pause('s', 'lunch')
      await new Promise((resolve) => setTimeout(resolve, 50))
      expect(over).not.toHaveBeenCalled()
      held.resolve()
      const paused = await running
      expect(paused).toMatchObject({ status: 'paused', reason: 'lunch' })
      expect(paused.calls.map(({ callId, status }) => `${callId} ${status}`)).toEqual([
        'plan:1 completed',
        'work:a:1 completed',
      ])
      expect(await first.resume('s')).toMatchObject({ status: 'completed', totals: { workerCalls: 1 } })
      expect(agents.asked.map(({ purpose }) => purpose)).toEqual(['plan', 'work', 'review'])
    })

    it.each([
      [false, ['plan', 'work', 'review']],
      [true, ['plan', 'work']],
    ])(
      'is paused in the moment in which it has claimed its next call (stopped: %s): that is not left behind',
      async (stopCalls, asked) => {
        const store = await openStore()
        const agents = new Agents(planOf({ a: {} }))
        const person = coordinator(store, {})
        const appendToStream: EventStore['appendToStream'] = async (stream, events, options) => {
          if (!events.some(({ type }) => type === 'TaskCompleted')) return store.appendToStream(stream, events, options)
          const done = Promise.withResolvers<void>()
          pausing = done.promise
          const appended = await store.appendToStream(stream, events, options)
          await person.pause('s', 'now', { stopCalls })
          done.resolve()
          return appended
        }
        const waitForVersion: EventStore['waitForVersion'] = async (...wanted) => {
          const version = await store.waitForVersion(...wanted)
          await pausing
          return version
        }
        let pausing = Promise.resolve()
        const first = coordinator(withMethods(store, { appendToStream, waitForVersion }), { executor: agents })
        const paused = await first.run('build it', { sessionId: 's' })
        expect(paused).toMatchObject({ status: 'paused', totals: { inDoubtCalls: 0 } })
        expect(paused.calls.map(({ status }) => status)).toEqual([
          'completed',
          'completed',
          stopCalls ? 'cancelled' : 'completed',
        ])
        expect(agents.asked.map(({ purpose }) => purpose)).toEqual(asked)
        expect(await first.resume('s')).toMatchObject({ status: 'completed', totals: { workerCalls: 1 } })
      },
    )

    it('is paused by a person who has what runs stopped: it is recorded as cancelled, and made again by resume', async () => {
      const store = await openStore()
      const agents = new Agents(planOf({ a: {} }))
      const working = Promise.withResolvers<void>()
      agents.onWork = async (_, signal) => {
        working.resolve()
        await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      }
      const first = coordinator(store, { executor: agents })
      const running = first.run('build it', { sessionId: 's' })
      await working.promise
      const person = coordinator(store, {})
      await person.pause('s')
      await person.pause('s', 'now', { stopCalls: true })
      expect(await running).toMatchObject({ status: 'paused', reason: 'now' })
      agents.onWork = async () => {}
      const view = await first.resume('s')
      expect(view).toMatchObject({ status: 'completed', totals: { workerCalls: 2, inDoubtCalls: 0 } })
      expect(view.calls.find(({ callId }) => callId === 'work:a:1')?.status).toBe('cancelled')
    })

    it('bears a log that is away for a while: its run does not end, and a cancel still reaches the agent', async () => {
      const real = await openStore()
      const away: EventStore['waitForVersion'] = async (...wanted) => {
        if (outages-- > 0) throw new DuologError('BROKER_UNREACHABLE', 'away', { retry: { afterMs: 1 } })
        return real.waitForVersion(...wanted)
      }
      let outages = 0
      const store = withMethods(real, { waitForVersion: away })
      const agents = new Agents(planOf({ a: {} }))
      const working = Promise.withResolvers<void>()
      agents.onWork = async (_, signal) => {
        outages = 4
        working.resolve()
        await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      }
      const running = coordinator(store, { executor: agents }).run('build it', { sessionId: 's' })
      await working.promise
      // Both who watch, the call's and the session's, wake up and find the log away.
      await coordinator(real, {}).updateWorkflowState('s', { phase: 'integration' })
      await until(() => outages <= 0)
      await coordinator(real, {}).cancel('s')
      expect(await running).toMatchObject({ status: 'cancelled' })
      const cancelled = await waitForEvent(real, { stream: 's', type: 'AgentCallCancelled', timeoutMs: 60_000 })
      expect(cancelled.data).toMatchObject({ callId: 'work:a:1', reason: 'the session is cancelled' })
    })

    it('is paused by its signal: what runs is aborted and recorded, and resume goes on', async () => {
      const store = await openStore()
      const agents = new Agents(planOf({ a: {} }))
      const interrupt = new AbortController()
      agents.onWork = async (_, signal) => {
        interrupt.abort()
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      }
      const first = coordinator(store, { executor: agents })
      const paused = await first.run('build it', { signal: interrupt.signal })
      expect(paused.status).toBe('paused')
      expect(paused.calls.find((call) => call.callId === 'work:a:1')).toMatchObject({ status: 'cancelled' })
      await first.close()
      agents.onWork = async () => {}
      const view = await coordinator(store, { executor: agents }).resume()
      expect(view).toMatchObject({ sessionId: paused.sessionId, status: 'completed' })
      expect(view.calls.map((call) => call.callId)).toContain('work:a:1~2')
    })

    it('is not resumed while the process that runs it is alive', async () => {
      const store = await openStore()
      const agents = new Agents(planOf({ a: {} }))
      const working = Promise.withResolvers<void>()
      const release = Promise.withResolvers<void>()
      agents.onWork = async () => {
        working.resolve()
        await release.promise
      }
      const running = coordinator(store, { executor: agents }).run('build it', { sessionId: 's1' })
      await working.promise
      await expect(coordinator(store, { executor: agents }).resume('s1')).rejects.toMatchObject({
        code: 'SESSION_RUNNING_ELSEWHERE',
      })
      release.resolve()
      expect((await running).status).toBe('completed')
      expect(agents.count('work')).toBe(1)
    })

    it('resumed by two coordinators at one time is run by one; the other is told, and makes no call', async () => {
      const store = await openStore()
      const agents = new Agents(planOf({ a: {} }))
      const release = Promise.withResolvers<void>()
      agents.onWork = () => release.promise
      const first = coordinator(store, { executor: agents })
      await first.create('build it', { sessionId: 's1' })
      await first.pause('s1')
      const both = [1, 2].map(() => coordinator(store, { executor: agents }).resume('s1'))
      const refused = both.map((resumed) =>
        resumed.then(
          () => Promise.reject(new Error('it ran')),
          (error: unknown) => error,
        ),
      )
      expect(await Promise.any(refused)).toMatchObject({ code: 'SESSION_RUNNING_ELSEWHERE' })
      release.resolve()
      const ended = (await Promise.allSettled(both)).filter(({ status }) => status === 'fulfilled')
      expect(ended).toMatchObject([{ value: { status: 'completed' } }])
      expect(agents.asked.map(({ purpose }) => purpose)).toEqual(['plan', 'work', 'review'])
    })

    it('taken over by another process it ends the call it runs, begins none, and says so', async () => {
      const store = await openStore()
      const agents = new Agents(planOf({ a: {}, b: {} }))
      const working = Promise.withResolvers<void>()
      const release = Promise.withResolvers<void>()
      agents.onWork = async () => {
        working.resolve()
        await release.promise
      }
      const warn = vi.fn()
      const logger = { debug() {}, info() {}, warn, error() {} }
      const settings = { maxConcurrentTasks: 1 }
      const running = coordinator(store, { executor: agents, logger }).run('build it', { sessionId: 's1', settings })
      const refused = errorOf(() => running)
      await working.promise
      const { owner: previousOwner = '' } = await coordinator(store, {}).show('s1')
      await new SessionLog(sessionStore(store)).handle('s1', { kind: 'resume', owner: 'another', previousOwner })
      const told = () => warn.mock.calls.filter(([told]) => 'takenBy' in told)
      await until(() => told().length > 0)
      release.resolve()
      expect(await refused).toMatchObject({ code: 'CLAIM_LOST', message: expect.stringContaining('run by another') })
      expect(told()).toMatchObject([[{ sessionId: 's1', takenBy: 'another' }, expect.any(String)]])
      const view = await coordinator(store, {}).show('s1')
      expect(view.calls.map(({ callId, status }) => `${callId} ${status}`)).toEqual([
        'plan:1 completed',
        'work:a:1 completed',
        'review:a:1 reserved',
      ])
      expect(agents.asked.map(({ purpose }) => purpose)).toEqual(['plan', 'work'])
    })

    it('its Ctrl-C does not pause a session that another process runs', async () => {
      const store = await openStore()
      const agents = new Agents(planOf({ a: {} }))
      const interrupt = new AbortController()
      agents.onWork = async () => {
        const { owner: previousOwner = '' } = await coordinator(store, {}).show('s1')
        await new SessionLog(sessionStore(store)).handle('s1', { kind: 'resume', owner: 'another', previousOwner })
        interrupt.abort()
      }
      const { signal } = interrupt
      const running = coordinator(store, { executor: agents }).run('build it', { sessionId: 's1', signal })
      expect(await errorOf(() => running)).toMatchObject({ code: 'CLAIM_LOST' })
      expect(await coordinator(store, {}).show('s1')).toMatchObject({ status: 'running', owner: 'another' })
    })

    it('cancelled from elsewhere stops its executor at once', async () => {
      const store = await openStore()
      const agents = new Agents(planOf({ a: {} }))
      const aborted = Promise.withResolvers<string>()
      const other = coordinator(store, { executor: agents })
      agents.onWork = async (request, signal) => {
        signal.addEventListener('abort', () => aborted.resolve(request.callId))
        await other.cancel('s2', 'changed my mind')
        signal.throwIfAborted()
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      }
      const view = await coordinator(store, { executor: agents }).run('build it', { sessionId: 's2' })
      expect(view).toMatchObject({ status: 'cancelled', reason: 'changed my mind' })
      expect(await aborted.promise).toBe('work:a:1')
    })

    it('makes a rate-limited call again, not before its time; what the failure cost is counted', async () => {
      const store = await openStore()
      const agents = new Agents(planOf({ a: {} }))
      const startedAt: number[] = []
      agents.onWork = async () => {
        startedAt.push(Date.now())
        if (startedAt.length > 1) return
        throw new ExecutorFailedError('rate limit', { retry: { afterMs: 300 }, paidFor: { costUsd: 0.02 } })
      }
      const view = await coordinator(store, { executor: agents }).run('build it')
      expect(view).toMatchObject({ status: 'completed', totals: { workerCalls: 2, costUsd: 0.09 } })
      expect(startedAt[1]! - startedAt[0]!).toBeGreaterThanOrEqual(299)
    })

    it('parks at a rate limit: nothing is asked before it is lifted, and meeting it again is no failure', async () => {
      const store = await openStore()
      const agents = new Agents(planOf({ a: {}, b: {} }))
      const bothRun = Promise.withResolvers<void>()
      const limited = Promise.withResolvers<void>()
      let liftedAt = 0
      const early: string[] = []
      const asks = (request: AgentRequest) => {
        if (Date.now() < liftedAt) early.push(request.callId)
      }
      agents.answer = (request) => {
        asks(request)
        return request.purpose === 'plan' ? planOf({ a: {}, b: {} }) : approval
      }
      agents.onWork = async (request) => {
        asks(request)
        // Of two calls side by side one meets the limit; the other, begun before, ends well.
        if (request.workItemId === 'b') bothRun.resolve()
        if (request.workItemId === 'b') return limited.promise
        await bothRun.promise
        if (agents.asked.filter(({ workItemId, purpose }) => workItemId === 'a' && purpose === 'work').length > 3)
          return
        liftedAt ||= Date.now() + 150
        setTimeout(limited.resolve, 50)
        throw new ExecutorFailedError('rate limit', { because: 'rate-limit', retry: { afterMs: 200 } })
      }
      const running = coordinator(store, { executor: agents, settings: { maxCallAttempts: 2 } }).run('build it')
      const view = await running
      expect(view).toMatchObject({ status: 'completed', totals: { workerCalls: 5 } })
      expect(early).toEqual([])
    })

    it('goes on with what the executor of a dead process had begun, where its policy says resume', async () => {
      const store = await openStore()
      const agents = new Agents(planOf({ a: {} }))
      // The executor's own sessions: what was said in them stays, whoever asks next.
      const conversations = new Map<string, string[]>()
      const working = Promise.withResolvers<void>()
      const hangs = (_: AgentRequest, signal: AbortSignal) =>
        new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      agents.onWork = async (request, signal) => {
        const id = request.resume ?? request.callId
        const said = conversations.get(id) ?? []
        conversations.set(id, [...said, said.length === 0 ? 'read the code' : 'wrote the test'])
        if (said.length > 0) return
        working.resolve()
        await hangs(request, signal)
      }
      const settings = { inDoubt: { work: 'resume' } } as const
      const mortal = ofMortal(store)
      // Never closed: it is dead.
      const dies = new KafkaAgentCoordinator({ store: mortal.store, executor: agents, settings, workDirChanges: false })
      dies.run('build it', { sessionId: 's1' }).catch(() => undefined)
      await working.promise
      await mortal.die()
      const view = await coordinator(store, { executor: agents }).resume('s1')
      expect(view).toMatchObject({ status: 'completed', totals: { workerCalls: 2, inDoubtCalls: 1 } })
      expect(view.calls.find(({ callId }) => callId === 'work:a:1')).toMatchObject({ resolution: 'resume' })
      expect(agents.asked.find(({ callId }) => callId === 'work:a:1~2')?.resume).toBe('work:a:1')
      expect([...conversations]).toEqual([['work:a:1', ['read the code', 'wrote the test']]])
    })

    it('takes a plan of 500 items in one append, and waits for a person to see it', async () => {
      const store = await openStore()
      const approvals = { plan: true }
      const made = coordinator(store, { executor: new Agents(many500), settings: { approvals } })
      await made.run('build it', { sessionId: 'many' })
      const view = await coordinator(store, {}).show('many')
      expect(view).toMatchObject({ status: 'waiting', totals: { workItems: 500, managerCalls: 1 } })
      expect(new Set(view.workItems.map(({ id }) => id)).size).toBe(500)
    })

    // On a file and on Kafka with DUOLOG_LONG=1.
    if (name === 'memory' || process.env.DUOLOG_LONG === '1') {
      it('works off a plan of 500 items with 500 calls of the Worker, one for each', async () => {
        const agents = new Agents(many500)
        const settings = { maxConcurrentTasks: 4 }
        const view = await coordinator(await openStore(), { executor: agents, settings }).run('build it')
        expect(view).toMatchObject({
          status: 'completed',
          totals: { accepted: 500, workerCalls: 500, managerCalls: 501, inDoubtCalls: 0 },
        })
        const worked = agents.asked.filter(({ purpose }) => purpose === 'work').map(({ workItemId }) => workItemId)
        expect(worked.toSorted()).toEqual(view.workItems.map(({ id }) => id).toSorted())
        expect(agents.asked).toHaveLength(1_001)
      }, 120_000)
    }

    it('is paused when its coordinator closes under it', async () => {
      const store = await openStore()
      const agents = new Agents(planOf({ a: {} }))
      const closing = coordinator(store, { executor: agents })
      agents.onWork = async (_, signal) => {
        void closing.close()
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      }
      expect((await closing.run('build it')).status).toBe('paused')
      expect(agents.count('work')).toBe(1)
    })

    it('P7: a result that cannot be recorded is in doubt, not made again in silence', async () => {
      const store = await openStore()
      const agents = new Agents(planOf({ a: {} }))
      const appendToStream: EventStore['appendToStream'] = async (stream, events, options) => {
        const unwelcome = events.some((event) => event.type === 'TaskCompleted')
        if (unwelcome && agents.count('work') === 1) throw new DuologError('INVALID_EVENT', 'data is too large')
        return store.appendToStream(stream, events, options)
      }
      const refusing = withMethods(store, { appendToStream })
      const view = await coordinator(refusing, { executor: agents }).run('build it')
      expect(view).toMatchObject({ status: 'completed', totals: { workerCalls: 2, inDoubtCalls: 1 } })
      expect(view.calls.find((call) => call.callId === 'work:a:1')?.status).toBe('in-doubt')
    })

    it('refuses what cannot work, before anything is written', async () => {
      const store = await openStore()
      const agents = new Agents(three)
      await expect(coordinator(store, {}).run('x')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
      const settings = { maxConcurrentTasks: 0 }
      expect(() => coordinator(store, { executor: agents, settings })).toThrow('settings.maxConcurrentTasks')
      const sound = coordinator(store, { executor: agents })
      await expect(sound.run('x', { settings })).rejects.toThrow('settings.maxConcurrentTasks')
      await expect(coordinator(store, { executor: agents }).resume('ghost')).rejects.toMatchObject({
        code: 'SESSION_NOT_FOUND',
      })
      await expect(coordinator(store, { executor: agents }).resume()).rejects.toMatchObject({
        code: 'SESSION_NOT_FOUND',
      })
      for await (const _ of store.listStreams()) expect.unreachable()
    })
  })

  describe(`services on task topics (${name})`, () => {
    const settings = { dispatch: 'topics' } as const

    it('manager, worker and gates in processes of their own bring a session to its end', async () => {
      const store = await openStore()
      const agents = new Agents(three)
      const manager = coordinator(store, { executors: { manager: agents }, gates: false })
      const workers = [1, 2].map(() => coordinator(store, { executors: { worker: agents }, gates: false }))
      const leader = coordinator(store, { settings: { ...settings, gates: [{ gateId: 'tests', command: ['true'] }] } })
      await Promise.all([manager, leader, ...workers].map((service) => service.start()))
      const views = await Promise.all(['x', 'y', 'z'].map((sessionId) => leader.run('build it', { sessionId })))
      for (const view of views) {
        expect(view).toMatchObject({ status: 'completed', totals: { workerCalls: 3, managerCalls: 4, gateRuns: 3 } })
      }
      expect(agents.count('work')).toBe(9)
    })

    it('ManagerAgentService and WorkerAgentService serve their roles by themselves', async () => {
      const store = await openStore()
      const agents = new Agents(three)
      const manager = new ManagerAgentService({ store, executor: agents })
      const worker = new WorkerAgentService({ store, executor: agents, concurrency: 2 })
      await Promise.all([manager.start(), worker.start()])
      const view = await coordinator(store, { settings }).run('build it')
      await Promise.all([manager.stop(), worker.stop()])
      expect(view).toMatchObject({ status: 'completed', totals: { workerCalls: 3, managerCalls: 4 } })
      const owners = view.calls.map(({ role, owner }) => `${role} ${owner}`)
      expect(new Set(owners)).toEqual(new Set([`manager ${manager.owner}`, `worker ${worker.owner}`]))
    })

    it('a worker that dies leaves its call in doubt; another goes on, and the zombie is refused', async () => {
      const store = await openStore()
      const agents = new Agents(planOf({ a: {} }))
      const leader = coordinator(store, { executors: { manager: agents }, settings })
      await leader.start()
      const sessionId = await leader.create('build it')
      const running = leader.resume(sessionId)
      await store.waitForVersion(sessionId, 8)
      const died = coordinator(store, {})
      const claim = await died.claimCall(sessionId, 'work:a:1', 'zombie')
      await died.close()
      await coordinator(store, { executors: { worker: agents }, gates: false }).start()
      const view = await running
      expect(view).toMatchObject({ status: 'completed', totals: { workerCalls: 2, inDoubtCalls: 1 } })
      expect(view.calls.find((call) => call.callId === 'work:a:1')).toMatchObject({
        status: 'in-doubt',
        owner: 'zombie',
      })
      const late = await leader.handleAgentResponse({
        sessionId,
        callId: 'work:a:1',
        epoch: claim!.epoch,
        owner: 'zombie',
        result: { output: 'late', costUsd: 0.5 },
      })
      expect(late.totals).toMatchObject({ refusedReports: 1, workerCalls: 2 })
    })

    it('an agent outside holds its claim until it responds; without a response, until the time limit of its call', async () => {
      const store = await openStore()
      const agents = new Agents(planOf({ a: {} }))
      const asked = new Set<number>()
      const liveness: EventStore['presence']['liveness'] = async (owner) => {
        const verdict = await store.presence.liveness(owner)
        if (owner === 'outside') asked.add(asked.size)
        return verdict
      }
      const presence = { announce: (owner: string) => store.presence.announce(owner), liveness }
      const watched = withMethods(store, { presence })
      const executors = { manager: agents }
      const leader = coordinator(watched, { executors, settings })
      await leader.start()
      const sessionId = await leader.create('build it')
      await store.waitForVersion(sessionId, 8)
      const claim = await leader.claimCall(sessionId, 'work:a:1', 'outside')
      await until(() => asked.size >= 3)
      const result = { output: 'did it out there', costUsd: 0.05 }
      const answer = { sessionId, callId: 'work:a:1', epoch: claim!.epoch, owner: 'outside', result }
      await leader.handleAgentResponse(answer)
      expect(await leader.resume(sessionId)).toMatchObject({
        status: 'completed',
        totals: { workerCalls: 1, inDoubtCalls: 0 },
      })
      expect(await store.presence.liveness('outside')).toBe('dead')

      const timeoutsMs = { plan: 60_000, work: 50, review: 60_000 }
      const second = await leader.create('build it', { settings: { timeoutsMs } })
      await store.waitForVersion(second, 8)
      await leader.claimCall(second, 'work:a:1', 'silent')
      await coordinator(store, { executors: { worker: agents }, gates: false }).start()
      expect(await leader.resume(second)).toMatchObject({
        status: 'completed',
        totals: { workerCalls: 2, inDoubtCalls: 1 },
      })
    })

    it('a forked session is looked after by coordinators that were there before it', async () => {
      const store = await openStore()
      const agents = new Agents(planOf({ a: {} }))
      const leader = coordinator(store, { executors: { manager: agents }, settings })
      await leader.start()
      const from = await leader.create('build it')
      await store.waitForVersion(from, 8)
      await leader.fork(from, { sessionId: 'fork' })
      const died = coordinator(store, {})
      const waiting = (await died.show('fork')).calls.find(({ status }) => status === 'reserved')
      expect(await died.claimCall('fork', waiting!.callId, 'zombie')).toBeDefined()
      await died.close()
      await coordinator(store, { executors: { worker: agents }, gates: false }).start()
      await waitForEvent(store, { stream: 'fork', type: 'SessionCompleted', timeoutMs: 60_000 })
      expect(await leader.show('fork')).toMatchObject({ totals: { inDoubtCalls: 1, accepted: 1 } })
    })

    it('work items can be sent by a caller, once each', async () => {
      const store = await openStore()
      const agents = new Agents(three)
      const all = coordinator(store, { executor: agents })
      await all.start()
      const task = {
        sessionId: 'sent',
        workItemId: 'fix',
        title: 'Fix it',
        description: 'd',
        acceptanceCriteria: ['green'],
      }
      await all.sendTaskToAgent('worker', task)
      const view = await all.resume('sent')
      expect(view).toMatchObject({ status: 'completed', totals: { workerCalls: 1, managerCalls: 1 } })
      await expect(all.sendTaskToAgent('worker', { ...task, workItemId: 'more' })).rejects.toMatchObject({
        code: 'SESSION_ENDED',
      })
    })

    it('the host says which phase the work is in', async () => {
      const all = coordinator(await openStore(), { executor: new Agents(three), settings })
      const sessionId = await all.create('build it')
      const view = await all.updateWorkflowState(sessionId, { phase: 'integration', note: 'merging' })
      expect(view.phase).toBe('integration')
    })
  })
}
