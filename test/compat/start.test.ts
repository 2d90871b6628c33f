import { EventEmitter } from 'node:events'
import { describe, expect, it, onTestFinished } from 'vitest'
import { KafkaAgentCoordinator } from '../../src/agents/kafka-agent-coordinator.ts'
import { readSession } from '../../src/agents/read-sessions.ts'
import { SDKDualAgentCoordinator } from '../../src/compat/sdk-dual-agent-coordinator.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { approval, eventsOf, HostAgents, heardBy, planOf, rejection, runOnce } from './agents.ts'

const one = planOf({ a: {} })

async function openStore(): Promise<EventStore> {
  const store = await openEventStore('memory:')
  onTestFinished(() => store.close())
  return store
}

describe('before a start', () => {
  it('is made from {} and from nothing, without an effect; getters answer, shutdown says nothing', async () => {
    for (const made of [new SDKDualAgentCoordinator({}), new SDKDualAgentCoordinator()]) {
      expect(made).toBeInstanceOf(EventEmitter)
      const { names } = heardBy(made)
      await made.shutdown()
      await made.shutdown()
      expect(names).toEqual([])
      expect(made.getExecutionContext()).toMatchObject({
        sessionId: '',
        userRequest: '',
        managerState: { status: 'offline', model: 'opus' },
        workerState: { status: 'offline', model: 'sonnet' },
        communicationHistory: [],
        config: { qualityGateThreshold: 0.8, maxConcurrentTasks: 2, retryAttempts: 2 },
      })
      expect(made.getWorkflowState()).toMatchObject({ phase: 'analysis', totalWorkItems: 0, overallProgress: 0 })
      expect(made.getHandoffMetrics()).toEqual({ totalHandoffs: 0, lastHandoffTime: undefined, handoffRate: 0 })
      expect(made.validateSDKHandoffExecution()).toMatchObject({ handoffsTriggered: false, communicationFlow: false })
      expect(made.validateSDKHandoffExecution().issues).toHaveLength(3)
    }
  })

  it('takes whatever a config holds, and refuses an extra that does not exist', () => {
    expect(() => new SDKDualAgentCoordinator({ model: 'opus' } as object)).not.toThrow()
    expect(() => new SDKDualAgentCoordinator({}, { sesionId: 'job-1' } as object)).toThrow('Did you mean "sessionId"?')
  })

  it('refuses when nobody can make the calls, in words the host knows; nothing is recorded', async () => {
    const store = await openStore()
    const executor = new HostAgents(one)
    executor.isThere = false
    const made = new SDKDualAgentCoordinator({}, { store, executor, sessionFiles: false })
    const { names } = heardBy(made)
    await expect(made.startCoordination('build it', {})).rejects.toThrow(/^Claude Code SDK is not available/)
    expect(names).toEqual(['coordination_shutdown'])
    for await (const _ of store.listStreams()) expect.unreachable()
  })
})

describe('config and options', () => {
  it('become the settings of the session and the options of its calls', async () => {
    const store = await openStore()
    const executor = new HostAgents(one)
    const options = {
      managerModel: 'sonnet',
      workerModel: 'haiku',
      timeout: 90_000,
      allowedTools: ' Read, Edit ,,Bash(npm test)',
      verbose: true,
      workDir: '/tmp',
    } as const
    const { all } = await runOnce({ store, executor }, options, { retryAttempts: 0, maxConcurrentTasks: 3 })
    expect(all.find(([name]) => name === 'agents_initialized')?.[1]).toEqual({
      managerModel: 'sonnet',
      workerModel: 'haiku',
      coordinationType: 'SDK_BASED',
    })
    const common = { workDir: '/tmp', timeout: 90_000, allowedTools: 'Read,Edit,Bash(npm test)', verbose: true }
    expect(executor.asked.map(({ options: asked }) => asked)).toMatchObject([
      { ...common, model: 'sonnet' },
      { ...common, model: 'haiku' },
      { ...common, model: 'sonnet' },
    ])
    const settings = await recordedSettings(store)
    expect(settings).toMatchObject({
      maxConcurrentTasks: 3,
      maxCallAttempts: 1,
      minQualityScore: 0.8,
      budget: { roles: { worker: { maxCalls: 30 } } },
    })
  })

  it('have defaults; `timeoutMs` of the config counts where it is given, `settings` win', async () => {
    const first = await openStore()
    await runOnce({ store: first, executor: new HostAgents(one) }, { maxIterations: 0 }, {})
    expect(await recordedSettings(first)).toMatchObject({
      timeoutsMs: { plan: 180_000, work: 180_000, review: 120_000 },
      models: { manager: 'opus', worker: 'sonnet' },
      maxConcurrentTasks: 2,
      maxCallAttempts: 3,
      budget: { roles: { worker: { maxCalls: 20 } } },
    })
    const second = await openStore()
    const settings = { maxRevisions: 7, models: { worker: 'another' }, budget: { maxUsd: 5 } }
    await runOnce(
      { store: second, executor: new HostAgents(one), settings },
      { maxIterations: 99 },
      { timeoutMs: 5_000 },
    )
    expect(await recordedSettings(second)).toMatchObject({
      timeoutsMs: { plan: 5_000, work: 5_000, review: 5_000 },
      models: { manager: 'opus', worker: 'another' },
      maxRevisions: 7,
      budget: { maxUsd: 5, roles: { worker: { maxCalls: 50 } } },
    })
  })

  it('an approval below the threshold is none', async () => {
    const executor = new HostAgents(one)
    executor.review = (nth) => ({ ...approval, qualityScore: nth === 1 ? 0.79 : 0.8 })
    const { all } = await runOnce({ store: await openStore(), executor })
    expect(executor.count('work')).toBe(2)
    expect(eventsOf(all, 'MANAGER_QUALITY_CHECK').map(({ data }) => data)).toMatchObject([
      { passed: false, score: 0.79 },
      { passed: true, score: 0.8 },
    ])
  })

  it('maxIterations rounds are made; then the session waits, and the next start gives it as many again', async () => {
    const store = await openStore()
    const executor = new HostAgents(planOf({ a: {}, b: {}, c: {} }))
    const few = { maxIterations: 1 }
    const { coordinator, names } = await runOnce({ store, executor }, few, { maxConcurrentTasks: 2 })
    expect(names).toContain('AGENT_COORDINATION iteration_limit')
    expect(executor.count('work')).toBe(2)
    expect(coordinator.getWorkflowState()).toMatchObject({
      completedWorkItems: 2,
      totalWorkItems: 3,
      phase: 'execution',
    })
    const { sessionId: resume } = coordinator.getExecutionContext()
    const next = await runOnce({ store, executor, resume }, few, { maxConcurrentTasks: 2 })
    expect(executor.count('work')).toBe(3)
    expect(next.coordinator.getWorkflowState()).toMatchObject({ completedWorkItems: 3, phase: 'completion' })
  })
})

describe('a session that waits for a person', () => {
  it('resolves, says what for and in which phase, and is gone on with when it is answered', async () => {
    const store = await openStore()
    const executor = new HostAgents(one)
    const settings = { approvals: { plan: true } }
    const { coordinator, names } = await runOnce({ store, executor, settings })
    expect(names.slice(-3)).toEqual([
      'WORKFLOW_TRANSITION planning',
      'AGENT_COORDINATION approval_requested',
      'coordination_shutdown',
    ])
    expect(coordinator.getWorkflowState()).toMatchObject({ phase: 'planning', totalWorkItems: 1, activeWorkItems: [] })
    const { sessionId: resume } = coordinator.getExecutionContext()
    const person = new KafkaAgentCoordinator({ store })
    await person.answerApproval(resume, 'plan', { approved: true })
    await person.close()
    const next = await runOnce({ store, executor, resume })
    expect(next.coordinator.getWorkflowState()).toMatchObject({ phase: 'completion', completedWorkItems: 1 })
  })
})

describe('a session that fails', () => {
  it('rejects with the reason, in words of the session; with continueOnError it resolves', async () => {
    const executor = new HostAgents('no plan, sorry')
    const extras = { store: await openStore(), executor, sessionFiles: false } as const
    const made = new SDKDualAgentCoordinator({}, extras)
    const { names } = heardBy(made)
    await expect(made.startCoordination('build it')).rejects.toMatchObject({
      code: 'SESSION_FAILED',
      message: expect.stringContaining('No usable plan in 3 attempts'),
    })
    expect(names.filter((each) => each === 'agent_error')).toHaveLength(3)
    expect(names.slice(-4)).toEqual([
      'WORKFLOW_TRANSITION completion',
      'AGENT_COORDINATION analysis_error',
      'EXECUTION_COMPLETE',
      'coordination_shutdown',
    ])
    await expect(made.startCoordination('build it', { continueOnError: true })).resolves.toBeUndefined()
    expect(executor.count('plan')).toBe(6)
  })

  it('says which item failed, and what it blocked', async () => {
    const executor = new HostAgents(planOf({ a: {}, b: { dependencies: ['a'] } }))
    executor.review = () => rejection
    const extras = { store: await openStore(), executor, settings: { maxRevisions: 0 } }
    const { coordinator, all, names } = await runOnce(extras, { continueOnError: true })
    expect(names).toContain('AGENT_COORDINATION blocked')
    expect(all.filter(([name]) => name === 'agent_error').map(([, error]) => error)).toMatchObject([
      { workItemId: 'a', errorType: 'validation_failure', recoveryStrategy: { type: 'skip' } },
    ])
    expect(coordinator.getWorkflowState()).toMatchObject({
      completedWorkItems: 0,
      blockedWorkItems: ['b'],
      qualityMetrics: { criticalIssues: 2, gatesFailed: 1 },
    })
  })
})

describe('one coordinator, several runs', () => {
  it('counts handoffs over all of them; the state is that of the newest', async () => {
    const store = await openStore()
    const made = new SDKDualAgentCoordinator({}, { store, executor: new HostAgents(one), sessionFiles: false })
    await made.startCoordination('build it')
    const { sessionId } = made.getExecutionContext()
    await made.startCoordination('build that')
    expect(made.getExecutionContext().sessionId).not.toBe(sessionId)
    expect(made.getExecutionContext().userRequest).toBe('build that')
    expect(made.getHandoffMetrics().totalHandoffs).toBe(2)
    expect(made.getCommunicationHistory()).toHaveLength(2)
  })

  it('refuses a second run beside the first, which goes on', async () => {
    const made = new SDKDualAgentCoordinator(
      {},
      { store: await openStore(), executor: new HostAgents(one), sessionFiles: false },
    )
    const running = made.startCoordination('build it')
    await expect(made.startCoordination('build that')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await running
    expect(made.getWorkflowState().completedWorkItems).toBe(1)
  })

  it('a listener that throws is told of, and changes nothing', async () => {
    const warnings: string[] = []
    const logger = { debug() {}, info() {}, error() {}, warn: (_: object, text: string) => void warnings.push(text) }
    const executor = new HostAgents(one)
    const made = new SDKDualAgentCoordinator({}, { store: await openStore(), executor, logger, sessionFiles: false })
    made.on('message_sent', () => {
      throw new Error('the host has a bug')
    })
    await made.startCoordination('build it')
    expect(warnings.filter((text) => text.startsWith('A listener'))).toEqual(
      Array.from({ length: 2 }, () => 'A listener of "message_sent" failed: the host has a bug'),
    )
    expect(made.getWorkflowState().completedWorkItems).toBe(1)
  })

  it('a session id of its own begins a session, goes on with it, and is that of one request', async () => {
    const store = await openStore()
    const executor = new HostAgents(one)
    const extras = { store, executor, sessionId: 'job-1', sessionFiles: false } as const
    await new SDKDualAgentCoordinator({}, extras).startCoordination('build it')
    const again = new SDKDualAgentCoordinator({}, extras)
    await again.startCoordination('build it')
    expect(executor.asked).toHaveLength(3)
    expect(again.getWorkflowState()).toMatchObject({ completedWorkItems: 1, phase: 'completion' })
    await expect(again.startCoordination('build that')).rejects.toThrow('is the session of another request')
    const unknown = new SDKDualAgentCoordinator({}, { ...extras, resume: 'ghost' })
    await expect(unknown.startCoordination('build it')).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })
    expect((await readSession(store, 'job-1')).totals).toMatchObject({ workerCalls: 1, managerCalls: 2 })
  })
})

async function recordedSettings(store: EventStore): Promise<unknown> {
  for await (const { stream } of store.listStreams())
    for await (const { data } of store.readStream(stream)) return (data as { settings: unknown }).settings
  return undefined
}
