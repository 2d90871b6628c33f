import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { approvalCallback } from '../../src/agents/approval-callback.ts'
import { cassetteFromSession } from '../../src/agents/cassette-from-session.ts'
import { AgentCommandService } from '../../src/agents/cqrs/agent-command-service.ts'
import { AgentQueryService } from '../../src/agents/cqrs/agent-query-service.ts'
import { DualAgentWorkflowSaga } from '../../src/agents/dual-agent-workflow-saga.ts'
import { claudeExecutor } from '../../src/agents/executors/claude-executor.ts'
import { loadExecutorModule } from '../../src/agents/executors/executor-module.ts'
import { guardedExecutor } from '../../src/agents/executors/guarded-executor.ts'
import { fromExecuteWithSDK } from '../../src/agents/executors/host-executor.ts'
import { journaledExecutor } from '../../src/agents/executors/journal.ts'
import { processExecutor } from '../../src/agents/executors/process-executor.ts'
import { recordingExecutor } from '../../src/agents/executors/recording-executor.ts'
import { resilientExecutor } from '../../src/agents/executors/resilient-executor.ts'
import { scriptedExecutor } from '../../src/agents/executors/scripted-executor.ts'
import { followSession } from '../../src/agents/follow-session.ts'
import { gateRunner } from '../../src/agents/gates/gate-runner.ts'
import { EventDrivenQualityGates, QualityGateProcessor } from '../../src/agents/gates/quality-gates.ts'
import { KafkaAgentCoordinator } from '../../src/agents/kafka-agent-coordinator.ts'
import { BudgetPool } from '../../src/agents/pool/budget-pool.ts'
import { listSessions, readSession } from '../../src/agents/read-sessions.ts'
import { createRedactor } from '../../src/agents/redact.ts'
import { ManagerAgentService, WorkerAgentService } from '../../src/agents/role-services.ts'
import { EventSourcedSessionManager } from '../../src/agents/sessions/event-sourced-session-manager.ts'
import { SessionEventStore } from '../../src/agents/sessions/session-event-store.ts'
import { SessionStateProjection } from '../../src/agents/sessions/session-state-projection.ts'
import { WorkflowOrchestrator } from '../../src/agents/workflow-orchestrator.ts'
import { servePage } from '../../src/monitoring/serve-page.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'

/*
 * What people write who have no compiler beside them: a wrong name, a missing part, a part of the wrong kind. Each is
 * refused where it is written, by name, and nothing is recorded.
 */

let store: EventStore
let coordinator: KafkaAgentCoordinator
const executor = scriptedExecutor({})
beforeEach(async () => {
  store = await openEventStore('memory:')
  coordinator = new KafkaAgentCoordinator({ store, executor })
})
afterEach(async () => {
  await coordinator.close()
  await store.close()
})

/** What was refused says INVALID_ARGUMENT and this. */
async function refuses(run: () => unknown, ...said: string[]): Promise<void> {
  const outcome = await Promise.resolve()
    .then(run)
    .then(
      () => 'it was accepted',
      ({ code, message }) => `${code} ${message}`,
    )
  expect(outcome).toContain('INVALID_ARGUMENT')
  for (const words of said) expect(outcome).toContain(words)
}

/** Everything that takes an options object with a store, and what else it needs. */
const takers: [string, (options: never) => unknown, object][] = [
  ['KafkaAgentCoordinator', (options) => new KafkaAgentCoordinator(options), {}],
  ['WorkflowOrchestrator', (options) => new WorkflowOrchestrator(options), {}],
  ['EventSourcedSessionManager', (options) => new EventSourcedSessionManager(options), {}],
  ['ManagerAgentService', (options) => new ManagerAgentService(options), { executor }],
  ['WorkerAgentService', (options) => new WorkerAgentService(options), { executor }],
  ['QualityGateProcessor', (options) => new QualityGateProcessor(options), {}],
  ['EventDrivenQualityGates', (options) => new EventDrivenQualityGates(options), {}],
  ['AgentCommandHandler', (options) => new AgentCommandService(options), {}],
  ['AgentQueryService', (options) => new AgentQueryService(options), {}],
  ['DualAgentWorkflowSaga', (options) => new DualAgentWorkflowSaga(options), { workspace: workspace() }],
  ['approvalCallback', (options) => approvalCallback(options), { token: 'x'.repeat(20) }],
  ['servePage', (options) => servePage(options), {}],
]

function workspace() {
  return { prepare: async () => '/', deliver: async () => {}, discard: async () => {} }
}

describe.each(takers)('what %s takes', (name, make, needed) => {
  it('has a store, which is an open one', async () => {
    await refuses(() => make(undefined as never), `options of ${name} must be an object, got nothing. Known are store`)
    await refuses(
      () => make(store as never),
      `options of ${name} must be an object, got an event store: give { store }`,
    )
    await refuses(() => make(needed as never), `options of ${name}: store must be an event store, from openEventStore`)
    const opening = openEventStore('memory:')
    await refuses(() => make({ ...needed, store: opening } as never), 'store is a promise: await openEventStore(…)')
    await (await opening).close()
  })

  it('has no name that nobody reads', async () => {
    await refuses(
      () => make({ ...needed, store, stroe: store } as never),
      `options of ${name}: there is no "stroe". Did you mean "store"? Known are store`,
    )
  })
})

describe('a coordinator', () => {
  const make = (options: object) => () => new KafkaAgentCoordinator({ store, ...options } as never)

  it('refuses options of the wrong name or kind', async () => {
    await refuses(make({ executr: executor }), 'there is no "executr". Did you mean "executor"?')
    await refuses(make({ executor: claudeExecutor }), 'executor must be an executor, such as claudeExecutor()')
    await refuses(make({ executor: Promise.resolve(executor) }), 'executor is a promise: await it first')
    await refuses(make({ executor: {} }), 'with a function "execute", got a value of type object')
    await refuses(make({ executors: { wroker: executor } }), 'executors: there is no "wroker". Did you mean "worker"?')
    await refuses(make({ gateFunctions: { a: 1 } }), 'gateFunctions .a must be a function, got 1')
    await refuses(make({ gates: true }), 'gates must be a function, got true')
    await refuses(make({ concurrency: '2' }), 'concurrency must be an integer of at least 1, got "2"')
    await refuses(make({ logger: console.log }), 'logger must be a logger')
    await refuses(make({ clock: {} }), 'clock must be a clock, with a function "now"')
    await refuses(make({ settings: { maxRevision: 1 } }), 'settings: unknown key "maxRevision"', '"maxRevisions"?')
    await refuses(make({ settings: { gates: [{ gateID: 'a' }] } }), 'settings.gates[0]', 'Did you mean "gateId"?')
    expect(make({ gates: false, executor: undefined })().owner).toContain('coordinator')
  })

  it('refuses to begin what was asked for wrongly, and records nothing', async () => {
    const run = (options: object, ...task: unknown[]) =>
      coordinator.run((task.length === 0 ? 'a task' : task[0]) as string, options as never)
    await refuses(() => run({ workdir: '/' }), 'options of run: there is no "workdir". Did you mean "workDir"?')
    await refuses(() => run({ workItems: [] }), 'options of run: there is no "workItems"')
    await refuses(() => run({ signal: true }), 'signal must be an AbortSignal, got true')
    await refuses(() => run({}, undefined), 'task must be text, got nothing')
    await refuses(() => run({}, ' '), 'task must not be empty')
    await refuses(() => run({ settings: { budget: { maxUSD: 1 } } }), 'settings.budget: unknown key', '"maxUsd"?')
    expect(await listSessions(store)).toEqual([])
  })

  const item = { workItemId: 'a', title: 'A', description: '', acceptanceCriteria: [] }

  it('names what is wrong in a work item', async () => {
    const create = (workItem: object) => coordinator.create('a task', { workItems: [workItem as never] })
    const { workItemId: id, ...rest } = item
    await refuses(
      () => create({ id, ...rest }),
      'workItems[0].workItemId: is missing',
      'workItems[0]: unknown key "id"',
    )
    await refuses(() => create({ ...item, dependencies: 'b' }), 'workItems[0].dependencies: must be an array')
    await refuses(() => create({ ...item, dependencies: ['b'] }), 'no work item has the id "b"')
    await refuses(() => create({ ...item, dependencies: [item.workItemId] }), 'in a cycle')
    await refuses(() => coordinator.sendTaskToAgent('worker', item as never), 'task.sessionId: is missing')
    await refuses(() => coordinator.sendTaskToAgent('boss' as never, item as never), 'role: "boss"')
    expect(await listSessions(store)).toEqual([])
  })

  it('names what is wrong in what is asked of a session', async () => {
    const id = await coordinator.create('a task', { settings: { dispatch: 'topics' }, workItems: [] })
    const { version } = await coordinator.show(id)
    await refuses(() => coordinator.resume(id, { singal: 1 } as never), 'Did you mean "signal"?')
    await refuses(
      () => coordinator.fork(id, { At: 1 } as never),
      'options of fork: there is no "At". Did you mean "at"?',
    )
    await refuses(() => coordinator.fork(id, { workItems: [item] } as never), 'workItems[0].id: is missing')
    await refuses(() => coordinator.cancel(id, 1 as never), 'reason must be text, got 1')
    await refuses(() => coordinator.pause(id, { stopCalls: true } as never), 'reason must be text')
    await refuses(() => coordinator.pause(id, 'x', { stopCals: true } as never), 'Did you mean "stopCalls"?')
    await refuses(() => coordinator.resolve(id, 'c', 'retrie' as never), "resolution must be one of 'retry', 'resume'")
    await refuses(() => coordinator.answerApproval(id, 'plan', { aproved: true } as never), 'Did you mean "approved"?')
    await refuses(() => coordinator.answerApproval(id, 'plan', {} as never), 'answer: approved must be true or false')
    await refuses(() => coordinator.raiseBudget(id, { maxUSD: 1 } as never), 'limits: unknown key "maxUSD"', 'maxUsd')
    await refuses(() => coordinator.claimCall(id, 'c', 7 as never), 'owner must be text, got 7')
    await refuses(() => coordinator.handleAgentResponse({ sessionId: id } as never), 'response: callId must be text')
    await refuses(() => coordinator.updateWorkflowState(id, { phase: 'x' } as never), 'update.phase: ')
    await refuses(() => coordinator.show(undefined as never), 'sessionId must be text, got nothing')
    expect((await coordinator.show(id)).version).toBe(version)
  })
})

describe('services', () => {
  it('need an executor, a workspace, a token', async () => {
    await refuses(
      () => new WorkerAgentService({ store } as never),
      'options of WorkerAgentService: executor must be an',
    )
    await refuses(() => new DualAgentWorkflowSaga({ store } as never), 'workspace must be a workspace, with a function')
    const timeouts = { sesionMs: 1 } as never
    await refuses(
      () => new DualAgentWorkflowSaga({ store, workspace: workspace(), timeouts }),
      'timeouts: there is no "sesionMs". Did you mean "sessionMs"?',
    )
    await refuses(() => approvalCallback({ store } as never), 'token must be text, got nothing')
  })

  it('name what is wrong in what they are asked', async () => {
    const gates = new EventDrivenQualityGates({ store })
    await refuses(() => gates.processQualityCheck({ sessionId: 'a', gateID: 'b' } as never), 'Did you mean "gateId"?')
    const found = { sessionId: 'a', gateId: 'b', passed: true, explanation: 'x' }
    await refuses(() => gates.publishQualityGateResult(found as never), 'result: score must be a number')
    const queries = new AgentQueryService({ store })
    await queries.ready
    await refuses(() => queries.listSessions({ staus: 'completed' } as never), 'Did you mean "status"?')
    await refuses(() => queries.getSession('a', { afer: {} } as never), 'Did you mean "after"?')
    await queries.stop()
    await refuses(() => new BudgetPool(store, 'p').create({ maxUSD: 1 } as never), 'limits: unknown key', '"maxUsd"?')
    await refuses(() => new BudgetPool(undefined as never, 'p'), 'store must be an event store')
  })
})

describe('executors', () => {
  it('refuse options of the wrong name or kind', async () => {
    await refuses(() => claudeExecutor({ maxTurn: 1 } as never), 'Did you mean "maxTurns"?')
    await refuses(() => claudeExecutor({ permissionMode: 'all' } as never), "one of 'acceptEdits', 'dontAsk'")
    await refuses(() => claudeExecutor({ tools: { plan: 'Read' } } as never), 'tools: plan must be a list of texts')
    await refuses(() => processExecutor({ command: 'a', arg: [] } as never), 'Did you mean "args"?')
    await refuses(() => processExecutor({ command: 'a', args: '--json' } as never), 'args must be a list of texts')
    await refuses(() => processExecutor('a' as never), 'options of processExecutor must be an object, got "a"')
    await refuses(() => scriptedExecutor({}, { journal: 'a' } as never), 'there is no "journal"')
    await refuses(() => guardedExecutor(executor, { stopGrace: 1 } as never), 'Did you mean "stopGraceMs"?')
    await refuses(() => guardedExecutor(undefined as never), 'executor must be an executor')
    await refuses(
      () => resilientExecutor(executor, { retries: {} } as never),
      'there is no "retries". Known are retry, breaker',
    )
    await refuses(
      () => resilientExecutor(executor, { retry: { attempts: 2 } } as never),
      'retry: there is no "attempts"',
    )
    await refuses(() => resilientExecutor(executor, { breaker: { failure: 2 } } as never), 'Did you mean "failures"?')
    await refuses(() => recordingExecutor(executor, [] as never), 'sink must be a function, got a list')
    await refuses(() => journaledExecutor(executor, undefined as never), 'file must be text, got nothing')
    await refuses(() => fromExecuteWithSDK({} as never), 'host must be an object with executeWithSDK')
    await refuses(() => loadExecutorModule('./a.mjs', { timeoutMs: 1 } as never), 'there is no "timeoutMs"')
  })
})

describe('functions over a log', () => {
  it('refuse what they do not know', async () => {
    await refuses(() => readSession(store, 'a', { At: 1 } as never), 'Did you mean "at"?')
    await refuses(() => readSession({} as never, 'a'), 'store must be an event store')
    await refuses(() => listSessions(undefined as never), 'store must be an event store')
    await refuses(() => followSession(store, 'a', { form: 1 } as never), 'Did you mean "from"?')
    await refuses(() => cassetteFromSession(store, 'a', { prompt: {} } as never), 'Did you mean "prompts"?')
    await refuses(() => createRedactor({ secret: [] } as never), 'Did you mean "secrets"?')
    await refuses(() => gateRunner({ function: {} } as never), 'Did you mean "functions"?')
    await refuses(() => new SessionEventStore({ store } as never), 'store must be an event store')
    await refuses(() => new SessionStateProjection(store, undefined as never), 'sessionId must be text')
  })
})
