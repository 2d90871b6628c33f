import { describe, expect, it } from 'vitest'
import { dualAgentWorkflow } from '../../src/agents/dual-agent-workflow.ts'
import { DualAgentWorkflowSaga, type DualAgentWorkflowSagaOptions } from '../../src/agents/dual-agent-workflow-saga.ts'
import { KafkaAgentCoordinator } from '../../src/agents/kafka-agent-coordinator.ts'
import { readSession } from '../../src/agents/read-sessions.ts'
import { ManagerAgentService, WorkerAgentService } from '../../src/agents/role-services.ts'
import { WORKFLOW_TOPIC } from '../../src/agents/workflow-events.ts'
import type { Workspace } from '../../src/agents/workflow-worker.ts'
import { listDeadLetters } from '../../src/processing/dead-letters.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { ProcessSpecification } from '../../src/testing/process-specification.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { type LogKind, until, untilOrSay, workbench } from '../processing/logs.ts'

const workItems = [{ id: 'a', title: 'do a', description: 'a', acceptanceCriteria: ['it is done'] }]
const request = { task: 'build it', workItems, settings: { maxRevisions: 0 } }

/** For who reads that a workflow hung: how far the log, the session and what was sent are. */
async function stand(store: EventStore, id: string) {
  const session: string[] = []
  for await (const { type, timestamp } of store.readStream(id)) session.push(`${timestamp} ${type}`)
  const topics = ['agent.workflows', 'agent.tasks.manager', 'agent.tasks.worker', store.eventTopic]
  return { session, ends: (await Promise.all(topics.map((topic) => store.partitionEnds(topic)))).flat() }
}

export function workflowSuite(log: LogKind): void {
  const bench = workbench()

  describe(`the workflow of two agents: ${log.name}`, () => {
    interface SetUp {
      readonly approved?: boolean
      readonly workspace?: Partial<Workspace>
      readonly services?: boolean
      /** Whether somebody runs gates that are commands. */
      readonly gates?: boolean
    }

    async function setUp(more: SetUp = {}) {
      const { approved = true, services = true, gates = false } = more
      const folder = bench.folder()
      const store = await bench.open(log.newUrl(folder))
      const clock = virtualClock(Date.now())
      const called: string[] = []
      const workspace: Workspace = {
        prepare: async ({ workflowId }) => {
          called.push('prepare')
          return `/workspaces/${workflowId}`
        },
        deliver: async ({ workDir }) => void called.push(`deliver ${workDir?.split('/')[1]}`),
        discard: async () => void called.push('discard'),
        ...more.workspace,
      }
      const failures: string[] = []
      const onError = (error: unknown) => void failures.push(String(error))
      const newSaga = (options: Partial<DualAgentWorkflowSagaOptions> = {}) =>
        bench.running(new DualAgentWorkflowSaga({ store, workspace, clock, onError, ...options }))
      const saga = newSaga()
      const review = { approved, qualityScore: approved ? 0.9 : 0.1, feedback: ['no'], recommendations: [] }
      const executor = {
        execute: async ({ purpose }: { purpose: string }) =>
          purpose === 'work' ? { output: 'done' } : { output: '', structured: review },
      }
      if (services) {
        for (const Service of [ManagerAgentService, WorkerAgentService])
          await bench.running(new Service({ store, executor })).start()
      }
      if (gates) {
        const coordinator = new KafkaAgentCoordinator({ store, executors: {} })
        bench.later(() => coordinator.close())
        await coordinator.start()
      }
      const ended = (id: string, status: string) =>
        untilOrSay(async () => (await saga.status(id)).status === status, {
          what: `workflow ${id} is ${status}`,
          stand: async () => ({ called, failures, ...(await stand(store, id)), process: await saga.status(id) }),
        })
      return { folder, store, clock, called, failures, workspace, saga, newSaga, ended }
    }

    it('assign → completion → review → gates → delivery', async () => {
      const { store, called, saga, ended } = await setUp()
      const id = await saga.request(request, 'wf-1')
      expect(await saga.request(request, 'wf-1')).toBe(id)
      await ended(id, 'completed')
      expect(called).toEqual(['prepare', 'deliver workspaces'])
      expect(await readSession(store, id)).toMatchObject({ status: 'completed', workDir: '/workspaces/wf-1' })
      expect((await saga.status(id)).state).toMatchObject({ phase: 'accepted', failedGates: [] })
    })

    it('gates are really run: where they pass it is delivered, where one fails it is undone, and the reason names it', async () => {
      let workDir = ''
      const prepare = async () => workDir
      const { folder, store, called, saga, ended } = await setUp({ gates: true, workspace: { prepare } })
      workDir = folder
      const gated = (...command: string[]) => {
        const gates = [{ gateId: 'tests', command }]
        return { ...request, settings: { ...request.settings, gates } }
      }
      const passing = await saga.request(gated('true'))
      await ended(passing, 'completed')
      expect((await saga.status(passing)).state).toMatchObject({ phase: 'accepted', failedGates: [] })
      const failing = await saga.request(gated('false'))
      await ended(failing, 'compensated')
      expect((await saga.status(failing)).compensation?.reason).toContain('(failed gates: tests of a)')
      const results: unknown[] = []
      for (const id of [passing, failing]) {
        for await (const { type, data } of store.readStream(id))
          if (type === 'QualityGateResult') results.push((data as { passed: boolean }).passed)
      }
      expect(results).toEqual([true, false])
      expect(called.map((line) => line.split(' ')[0])).toEqual(['deliver', 'discard'])
    })

    it('P9 a workspace that hangs holds up no other workflow, and its own until its time is over', async () => {
      const given: AbortSignal[] = []
      const prepare = ({ workflowId }: { workflowId: string }, signal: AbortSignal) => {
        if (workflowId !== 'wf-hangs') return Promise.resolve('/work')
        given.push(signal)
        return new Promise<string>((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))))
      }
      const { called, saga, newSaga, ended } = await setUp({ workspace: { prepare } })
      await saga.request(request, 'wf-hangs')
      await until(() => given.length === 1)
      const others = await Promise.all(Array.from({ length: 5 }, (_, n) => saga.request(request, `wf-${n}`)))
      for (const id of others) await ended(id, 'completed')
      expect((await saga.status('wf-hangs')).steps).toEqual({ workspace: 'started' })
      expect(called).not.toContain('discard')
      // Stopping is no answer: the command comes again, to one with less patience.
      await saga.stop()
      expect(given[0]?.aborted).toBe(true)
      newSaga({ timeouts: { workspaceMs: 50 } })
      await ended('wf-hangs', 'compensated')
      expect(given.length).toBeGreaterThan(1)
      const { compensation } = await saga.status('wf-hangs')
      expect(compensation?.reason).toBe('the workspace failed: prepare of the workspace took longer than 50 ms')
    })

    it('what is no command is put aside, what is no path is no workspace, and the next workflow goes on', async () => {
      let workDir: unknown
      const prepare = async () => workDir as string
      const { store, saga, ended } = await setUp({ workspace: { prepare } })
      const data = [null, { kind: 'explode', workflowId: 'wf-1' }, { kind: 'prepare', workflowId: 'wf-1', request: {} }]
      const outgoing = data.map((each) => ({ topic: WORKFLOW_TOPIC, key: 'wf-1', type: 'WorkflowCommand', data: each }))
      await store.appendToStream('stranger', [{ type: 'Said', data: null }], { outgoing })
      await saga.request(request, 'wf-1')
      await ended('wf-1', 'compensated')
      const { compensation } = await saga.status('wf-1')
      expect(compensation?.reason).toContain('prepare of the workspace answered nothing, not a path')
      const letters = await listDeadLetters(store, WORKFLOW_TOPIC)
      expect(letters.map(({ reason }) => reason)).toEqual([
        expect.stringContaining('It is no command of a workflow: '),
        expect.stringMatching(/kind/),
        expect.stringMatching(/request\.task/),
      ])
      workDir = '/work'
      await saga.request(request, 'wf-1b')
      await ended('wf-1b', 'completed')
    })

    it('a stranger in the event topic neither stops it nor becomes a workflow', async () => {
      const { store, saga, failures, ended } = await setUp()
      const strange = ['WorkflowRequested', 'SessionFailed', 'Any'].map((type) => ({ type, data: null }))
      await store.appendToStream('wf-1', strange)
      await store.appendToStream('theirs', [{ type: 'WorkflowRequested', data: { workflowId: 'theirs-1' } }])
      await saga.request(request, 'wf-2')
      await ended('wf-2', 'completed')
      const streams: string[] = []
      for await (const { stream } of store.listStreams()) streams.push(stream)
      expect(streams.filter((stream) => stream.includes('theirs-1'))).toEqual([])
      expect(failures).toEqual([])
    })

    it('work that is refused is undone: nothing is delivered, the workspace is discarded', async () => {
      const { store, called, saga, ended } = await setUp({ approved: false })
      const id = await saga.request(request)
      await ended(id, 'compensated')
      expect(called).toEqual(['prepare', 'discard'])
      expect((await readSession(store, id)).status).toBe('failed')
      expect((await saga.status(id)).compensation?.reason).toContain('the session failed')
    })

    it('a session that takes too long is stopped first, then its workspace is discarded', async () => {
      const { store, clock, called, saga, ended } = await setUp({ services: false })
      const id = await saga.request(request)
      await until(async () => (await saga.status(id)).steps.session === 'started')
      clock.advance(3_600_000)
      await ended(id, 'compensated')
      expect(called).toEqual(['prepare', 'discard'])
      expect((await readSession(store, id)).status).toBe('cancelled')
    })

    it('what cannot be undone is said, after its tries', async () => {
      const discard = async () => Promise.reject(new Error('disk is gone'))
      const deliver = async () => Promise.reject(new Error('conflict'))
      const { clock, saga, ended } = await setUp({ workspace: { discard, deliver } })
      const id = await saga.request(request)
      for (const attempts of [1, 2]) {
        await until(async () => {
          const { compensation, pending } = await saga.status(id)
          return compensation?.attempts === attempts && pending['retry/workspace'] !== undefined
        })
        clock.advance(10_000)
      }
      await ended(id, 'partly-compensated')
      const { compensation, steps } = await saga.status(id)
      expect(compensation).toMatchObject({ reason: 'the delivery failed: conflict', left: ['workspace'] })
      expect(steps).toMatchObject({ session: 'compensated', workspace: 'compensation-failed', delivery: 'failed' })
    })

    it('a request that makes no sense is refused by its field', async () => {
      const { saga } = await setUp({ services: false })
      await expect(saga.request({ task: '' })).rejects.toThrow(/task/)
      await expect(saga.request(request, 'mine')).rejects.toThrow('must begin with "wf-"')
    })
  })
}

export function workflowSpecification(): void {
  describe('the workflow of two agents, given/when/then', () => {
    const given = ProcessSpecification.for(dualAgentWorkflow({ sessionMs: 1000 }))
    const of = { workflowId: 'wf-1' }
    const requested = { type: 'WorkflowRequested', data: { ...of, request } } as const
    const prepared = { type: 'WorkspacePrepared', data: { ...of, workDir: '/w' } } as const
    const failed = { type: 'SessionFailed', data: { reason: 'no plan' } } as const
    const gate = (passed: boolean, workItemId = 'a') => {
      const result = { attempt: 1, callId: 'g', gateId: 'tests', mandatory: true, passed, score: 0, explanation: '' }
      return { type: 'QualityGateResult', data: { ...result, workItemId } } as const
    }

    it('names the gates that failed, and undoes in reverse order', () => {
      given(requested).when(prepared).thenSends('WorkflowCommand')
      given(requested, prepared, gate(false))
        .when(failed)
        .thenState({
          status: 'compensating',
          compensation: { reason: 'the session failed: no plan (failed gates: tests of a)', queue: ['workspace'] },
        })
      // That another item passed the same gate says nothing of this one.
      given(requested, prepared, gate(false), gate(true, 'b'))
        .when(failed)
        .thenState({ compensation: { reason: 'the session failed: no plan (failed gates: tests of a)' } })
      given(requested, prepared, gate(false), gate(true))
        .when(failed)
        .thenState({
          compensation: { reason: 'the session failed: no plan' },
        })
      given(requested, prepared)
        .when({ afterMs: 1000 })
        .thenState({
          compensation: { reason: 'the session took too long', queue: ['session', 'workspace'] },
        })
    })
  })
}
