import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { KafkaAgentCoordinatorOptions } from '../../src/agents/coordinator-options.ts'
import { type AgentExecutor, type AgentRequest, ExecutorFailedError } from '../../src/agents/executor.ts'
import { resilientExecutor } from '../../src/agents/executors/resilient-executor.ts'
import { KafkaAgentCoordinator } from '../../src/agents/kafka-agent-coordinator.ts'
import { ManagerAgentService, WorkerAgentService } from '../../src/agents/role-services.ts'
import { openMemoryStore } from '../../src/store/memory/memory-store.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { withMethods } from '../support/with-methods.ts'
import { approval, planOf } from './session/play.ts'

const MINUTE_MS = 60_000
const plan = planOf({ a: {} })

/** Answers at once; work is done by `work`. */
function agents(work: (request: AgentRequest, signal: AbortSignal) => unknown = () => undefined) {
  const asked: AgentRequest[] = []
  const executor: AgentExecutor = {
    async execute(request, { signal }) {
      asked.push(request)
      if (request.purpose === 'work') await work(request, signal)
      const structured = request.purpose === 'plan' ? plan : approval
      return { output: 'done', costUsd: 0.01, ...(request.purpose !== 'work' && { structured }) }
    },
  }
  return { asked, executor }
}

const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) await thing.close()
})

function coordinate(options: Partial<KafkaAgentCoordinatorOptions>) {
  const store = options.store ?? openMemoryStore()
  const coordinator = new KafkaAgentCoordinator({ store, workDirChanges: false, ...options })
  opened.push(...(options.store ? [] : [store]), coordinator)
  return { store, coordinator }
}

/** What `look` finds, once it finds something. */
async function until<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

describe('a call that stops at its own budget', () => {
  it('has the session wait for money; raised, it goes on, and the failure counts as what it cost', async () => {
    const { asked, executor } = agents((request) => {
      if ((request.maxBudgetUsd ?? 0) > 1) return
      throw new ExecutorFailedError('out of budget', { because: 'budget', paidFor: { costUsd: 1.1 } })
    })
    const { coordinator } = coordinate({ executor, settings: { budget: { maxUsd: 10 } } })
    const waiting = await coordinator.run('build it', { sessionId: 's' })
    expect(waiting).toMatchObject({ status: 'waiting', budget: { usd: 1.11, exceeded: { limit: 'call', max: 1 } } })
    expect(await coordinator.resume('s')).toMatchObject({ status: 'waiting' })
    await coordinator.raiseBudget('s', { perCallUsd: { work: 2 } })
    expect(await coordinator.resume('s')).toMatchObject({ status: 'completed', totals: { workerCalls: 2 } })
    expect(asked.filter(({ purpose }) => purpose === 'work').map(({ maxBudgetUsd }) => maxBudgetUsd)).toEqual([1, 2])
  })
})

describe('a call that is stopped', () => {
  it('counts in the budget as what it had cost, where its executor says so, and else as its reservation', async () => {
    for (const [costUsd, counted] of [
      [0.3, 0.31],
      [undefined, 1.01],
    ] as const) {
      const interrupt = new AbortController()
      const { executor } = agents(async (_, signal) => {
        const stopped = new Promise((resolve) => signal.addEventListener('abort', resolve))
        interrupt.abort()
        await stopped
        throw new ExecutorFailedError('stopped', costUsd === undefined ? {} : { paidFor: { costUsd } })
      })
      const { coordinator } = coordinate({ executor, settings: { budget: { maxUsd: 10 } } })
      const view = await coordinator.run('build it', { signal: interrupt.signal })
      expect(view).toMatchObject({ status: 'paused', budget: { usd: counted, reservedUsd: 0 } })
      const stopped = view.calls.find(({ callId }) => callId === 'work:a:1')
      expect(stopped).toMatchObject({ status: 'cancelled', costUsd: costUsd ?? 0 })
      expect(stopped?.costUnknown).toBe(costUsd === undefined ? true : undefined)
    }
  })
})

describe('an executor that tries again by itself', () => {
  it('a try of unknown cost counts as the reservation of its call, in money, tokens and turns', async () => {
    const { executor, asked } = agents(() => {
      const isFirst = asked.filter(({ purpose }) => purpose === 'work').length === 1
      if (isFirst) throw new ExecutorFailedError('overloaded', { retry: 'now' })
    })
    const telling: AgentExecutor = {
      execute: async (...call) => ({ ...(await executor.execute(...call)), usage: { inputTokens: 100, turns: 1 } }),
    }
    const perCall = { perCallUsd: { work: 3 }, perCallTokens: { work: 5_000 }, perCallTurns: { work: 7 } }
    const { coordinator } = coordinate({
      executor: resilientExecutor(telling, { retry: { maxAttempts: 2, firstPauseMs: 1 } }),
      settings: { budget: { maxUsd: 10, maxTokens: 100_000, maxTurns: 100, ...perCall } },
    })
    const view = await coordinator.run('build it')
    expect(view.calls.map(({ callId, costUnknown }) => `${callId} ${costUnknown}`)).toEqual([
      'plan:1 undefined',
      'work:a:1 true',
      'review:a:1 undefined',
    ])
    expect(view.budget).toMatchObject({ usd: 3.02, tokens: 5_200, turns: 9 })
    expect(view.totals.costUsd).toBeCloseTo(0.03)
  })
})

describe('the version of a prompt', () => {
  const mine = { work: { version: 'mine-3', render: () => 'Do it my way.' } }

  it('that is recorded is that of whoever asked', async () => {
    const { asked, executor } = agents()
    const { store, coordinator: first } = coordinate({ executor, prompts: mine })
    const sessionId = await first.create('build it')
    await first.pause(sessionId)
    await first.close()
    const { coordinator: second } = coordinate({ store, executor })
    const { calls } = await second.resume(sessionId)
    expect(asked.find(({ purpose }) => purpose === 'work')?.prompt).not.toContain('my way')
    expect(calls.find(({ purpose }) => purpose === 'work')?.promptVersion).toEqual(expect.any(Number))
  })

  it('of a fork is that of whoever forks', async () => {
    const { asked, executor } = agents()
    const { store, coordinator } = coordinate({ executor })
    await coordinator.run('build it', { sessionId: 'source' })
    const { coordinator: other } = coordinate({ store, executor, prompts: mine })
    const forked = await other.fork('source', { at: 1 })
    const { calls } = await other.resume(forked.sessionId)
    expect(asked.at(-2)).toMatchObject({ purpose: 'work', prompt: 'Do it my way.' })
    expect(calls.find(({ purpose }) => purpose === 'work')?.promptVersion).toBe('mine-3')
  })
})

describe('what an agent outside answers', () => {
  async function claimed() {
    const { coordinator, store } = coordinate({ executors: { manager: agents().executor } })
    await coordinator.create('build it', {
      sessionId: 's',
      settings: { dispatch: 'topics' },
      workItems: [{ sessionId: 's', workItemId: 'a', title: 'A', description: 'd', acceptanceCriteria: ['x'] }],
    })
    const claim = await coordinator.claimCall('s', 'work:a:1', 'outside')
    return { coordinator, store, of: { sessionId: 's', callId: 'work:a:1', owner: 'outside', epoch: claim!.epoch } }
  }

  const KEY = 'sk-abcdefghijklmnopqrstuvwxyz'

  it('is guarded like what executors answer: no secret, no output without limit', async () => {
    const { coordinator, store, of } = await claimed()
    const output = `${KEY} ${'x'.repeat(300_000)}`
    await coordinator.handleAgentResponse({ ...of, result: { output } })
    const completed: unknown[] = []
    for await (const { type, data } of store.readStream('s')) if (type === 'AgentCallCompleted') completed.push(data)
    expect(completed).toMatchObject([{ fullOutputChars: expect.any(Number), outputRef: { size: expect.any(Number) } }])
    expect(JSON.stringify(completed)).not.toContain(KEY)
    expect(JSON.stringify(completed).length).toBeLessThan(210_000)
  })

  it('is refused when it is no result, and a failure is told without its secrets', async () => {
    const { coordinator, of } = await claimed()
    const nonsense = { ...of, result: { output: 7 } as never }
    await expect(coordinator.handleAgentResponse(nonsense)).rejects.toThrow('output')
    const error = { code: 'EXECUTOR_FAILED', message: `bad key ${KEY}` }
    const view = await coordinator.handleAgentResponse({ ...of, error })
    expect(view.calls.find(({ callId }) => callId === 'work:a:1')?.error).toContain('bad key [redacted')
  })
})

describe("a session's time", () => {
  it('lets no call begin that a rate limit had parked until after it; more time does', async () => {
    const clock = virtualClock()
    let limited = true
    const { asked, executor } = agents(() => {
      if (!limited) return
      limited = false
      throw new ExecutorFailedError('limit', { because: 'rate-limit', retry: { afterMs: 60 * MINUTE_MS } })
    })
    const settings = { budget: { maxWallClockMs: 10 * MINUTE_MS } }
    const { coordinator } = coordinate({ executor, clock, settings })
    const running = coordinator.run('build it', { sessionId: 's' })
    await until(async () =>
      (await coordinator.show('s').catch(() => undefined))?.calls.find(({ notBefore }) => notBefore),
    )
    clock.advance(10 * MINUTE_MS)
    expect(await running).toMatchObject({
      status: 'waiting',
      totals: { workerCalls: 1 },
      budget: { exceeded: { limit: 'wall-clock' } },
    })
    clock.advance(60 * MINUTE_MS)
    expect(asked.filter(({ purpose }) => purpose === 'work')).toHaveLength(1)
    await coordinator.raiseBudget('s', { maxWallClockMs: 90 * MINUTE_MS })
    expect(await coordinator.resume('s')).toMatchObject({ status: 'completed', totals: { workerCalls: 2 } })
  })

  it('lets a service begin nothing that was reserved within it, when it comes after', async () => {
    const clock = virtualClock()
    const { asked, executor } = agents()
    const settings = { dispatch: 'topics' as const, budget: { maxWallClockMs: 10 * MINUTE_MS } }
    const { store, coordinator } = coordinate({ executor, clock, settings })
    await coordinator.create('build it', { sessionId: 's' })
    clock.advance(11 * MINUTE_MS)
    const manager = new ManagerAgentService({ store, executor, clock })
    await manager.start()
    expect(await until(async () => (await coordinator.show('s')).budget?.exceeded)).toMatchObject({
      limit: 'wall-clock',
    })
    expect(asked).toEqual([])
    await manager.stop()
  })
})

describe('the time of a role', () => {
  it("is kept by its services while the other role's go on; with more the session completes", async () => {
    const clock = virtualClock()
    const { asked, executor } = agents()
    const budget = { roles: { worker: { maxWallClockMs: 10 * MINUTE_MS } } }
    const settings = { dispatch: 'topics' as const, budget }
    const { store, coordinator } = coordinate({ executor, clock, settings })
    await coordinator.create('build it', { sessionId: 's' })
    clock.advance(11 * MINUTE_MS)
    const manager = new ManagerAgentService({ store, executor, clock })
    const worker = new WorkerAgentService({ store, executor, clock })
    await manager.start()
    await worker.start()
    const exceeded = await until(async () => {
      const view = await coordinator.show('s')
      return view.status === 'waiting' ? view.budget?.exceeded : undefined
    })
    expect(exceeded).toMatchObject({ limit: 'wall-clock', scope: 'worker', max: 10 * MINUTE_MS })
    expect(asked.map(({ purpose }) => purpose)).toEqual(['plan'])
    await coordinator.raiseBudget('s', { role: 'worker', maxWallClockMs: 60 * MINUTE_MS })
    await until(async () => (await coordinator.show('s')).status === 'completed' || undefined)
    expect(asked.map(({ purpose }) => purpose)).toEqual(['plan', 'work', 'review'])
    await Promise.all([manager.stop(), worker.stop()])
  })
})

describe('a clock that is put back', () => {
  it('during a call gives no negative duration, and the session goes on', async () => {
    const clock = virtualClock()
    const { executor } = agents(() => clock.set(clock.now() - 60 * MINUTE_MS))
    const view = await coordinate({ executor, clock }).coordinator.run('build it')
    expect(view.status).toBe('completed')
    expect(view.calls.find(({ purpose }) => purpose === 'work')?.durationMs).toBe(0)
  })

  it('while a call is parked makes it neither early nor lost', async () => {
    const clock = virtualClock()
    const startMs = clock.now()
    let limited = true
    const { asked, executor } = agents(() => {
      if (!limited) return
      limited = false
      throw new ExecutorFailedError('limit', { because: 'rate-limit', retry: { afterMs: 5 * MINUTE_MS } })
    })
    const { coordinator } = coordinate({ executor, clock })
    const running = coordinator.run('build it', { sessionId: 's' })
    const works = () => asked.filter(({ purpose }) => purpose === 'work').length
    const callsOf = async () => (await coordinator.show('s').catch(() => undefined))?.calls
    const call = await until(async () => (await callsOf())?.find(({ callId }) => callId === 'work:a:1~2'))
    expect(call.notBefore).toBe(new Date(startMs + 5 * MINUTE_MS).toISOString())
    clock.set(startMs - 60 * MINUTE_MS)
    clock.advance(30 * MINUTE_MS)
    expect(works()).toBe(1)
    clock.set(startMs + 5 * MINUTE_MS)
    expect(await running).toMatchObject({ status: 'completed', totals: { workerCalls: 2 } })
  })

  it('gives a session no more time than it has, and takes none', async () => {
    const clock = virtualClock()
    const startMs = clock.now()
    const release = Promise.withResolvers<void>()
    const { asked, executor } = agents(() => release.promise)
    const { coordinator } = coordinate({ executor, clock, settings: { budget: { maxWallClockMs: 10 * MINUTE_MS } } })
    const running = coordinator.run('build it', { sessionId: 's' })
    await until(() => asked[1])
    clock.set(startMs - 60 * MINUTE_MS)
    expect((await coordinator.show('s')).budget).not.toHaveProperty('exceeded')
    clock.set(startMs + 10 * MINUTE_MS)
    expect(await until(async () => (await coordinator.show('s')).budget?.exceeded)).toMatchObject({
      limit: 'wall-clock',
      spent: 10 * MINUTE_MS,
    })
    release.resolve()
    expect(await running).toMatchObject({ status: 'waiting' })
  })
})

describe('a clock that is put ahead by an hour', () => {
  it('during a call makes it no hour longer', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    onTestFinished(() => void vi.useRealTimers())
    const { executor } = agents(() => vi.setSystemTime(Date.now() + 60 * MINUTE_MS))
    const view = await coordinate({ executor }).coordinator.run('build it')
    expect(view.status).toBe('completed')
    expect(view.calls.find(({ purpose }) => purpose === 'work')?.durationMs).toBeLessThan(30 * MINUTE_MS)
  })

  it('ends the time of a session once; put right, more time is given and it goes on', async () => {
    const clock = virtualClock()
    const startMs = clock.now()
    const { executor } = agents(async () => {
      clock.set(startMs + 60 * MINUTE_MS)
      await until(async () => (await coordinator.show('s')).budget?.exceeded)
    })
    const { store, coordinator } = coordinate({
      executor,
      clock,
      settings: { budget: { maxWallClockMs: 10 * MINUTE_MS } },
    })
    const waiting = await coordinator.run('build it', { sessionId: 's' })
    expect(waiting).toMatchObject({
      status: 'waiting',
      budget: { exceeded: { limit: 'wall-clock', spent: 60 * MINUTE_MS } },
    })
    clock.set(startMs + MINUTE_MS)
    expect(await coordinator.resume('s')).toMatchObject({ status: 'waiting' })
    await coordinator.raiseBudget('s', { maxWallClockMs: 20 * MINUTE_MS })
    expect(await coordinator.resume('s')).toMatchObject({ status: 'completed', totals: { workerCalls: 1 } })
    const events = await Array.fromAsync(store.readStream('s'))
    expect(events.filter(({ type }) => type === 'BudgetExceeded')).toHaveLength(1)
  })
})

describe('a session whose owner may be alive', () => {
  async function left() {
    const { asked, executor } = agents()
    const { store, coordinator } = coordinate({ executor })
    const sessionId = await coordinator.create('build it')
    const presence = {
      announce: (owner: string) => store.presence.announce(owner),
      liveness: async () => 'unknown' as const,
    }
    const { promise: waits, resolve: onWait } = Promise.withResolvers<string>()
    const unsure = coordinate({ executor, store: withMethods(store, { presence }) }).coordinator
    return { asked, sessionId, unsure, waits, onWait }
  }

  it('is left as it is when the signal fires first', async () => {
    const { asked, sessionId, unsure, waits, onWait } = await left()
    const before = await unsure.show(sessionId)
    const stop = new AbortController()
    const resumed = unsure.resume(sessionId, { signal: stop.signal, onWait })
    expect(await waits).toContain('is alive')
    stop.abort()
    expect(await resumed).toEqual(before)
    expect((await unsure.show(sessionId)).version).toBe(before.version)
    expect(asked).toEqual([])
  })

  it('is left as it is when the coordinator closes first', async () => {
    const { asked, sessionId, unsure, waits, onWait } = await left()
    const before = await unsure.show(sessionId)
    const resumed = unsure.resume(sessionId, { onWait })
    await waits
    await unsure.close()
    expect(await resumed).toEqual(before)
    expect(asked).toEqual([])
  })
})

describe('without an id', () => {
  it('the newest unended session is gone on with; ended ones and other streams are passed over', async () => {
    const { executor } = agents()
    const { store, coordinator } = coordinate({ executor })
    const open = await coordinator.create('first')
    await coordinator.pause(open)
    await coordinator.run('second')
    await store.appendToStream('orders', [{ type: 'Placed', data: {} }])
    expect(await coordinator.resume()).toMatchObject({ sessionId: open, status: 'completed' })
    await expect(coordinator.resume()).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })
  })
})
