import { describe, expect, it } from 'vitest'
import { dualAgentWorkflow } from '../../src/agents/dual-agent-workflow.ts'
import { DualAgentWorkflowSaga, type Workspace } from '../../src/agents/dual-agent-workflow-saga.ts'
import { readSession } from '../../src/agents/read-sessions.ts'
import { ManagerAgentService, WorkerAgentService } from '../../src/agents/role-services.ts'
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
    async function setUp(more: { approved?: boolean; workspace?: Partial<Workspace>; services?: boolean } = {}) {
      const { approved = true, services = true } = more
      const store = await bench.open(log.newUrl(bench.folder()))
      const clock = virtualClock(Date.now())
      const called: string[] = []
      const workspace: Workspace = {
        prepare: async ({ workflowId }) => {
          called.push('prepare')
          return `/work/${workflowId}`
        },
        deliver: async ({ workDir }) => void called.push(`deliver ${workDir?.split('/')[1]}`),
        discard: async () => void called.push('discard'),
        ...more.workspace,
      }
      const failures: string[] = []
      const onError = (error: unknown) => void failures.push(String(error))
      const saga = bench.running(new DualAgentWorkflowSaga({ store, workspace, clock, onError }))
      const review = { approved, qualityScore: approved ? 0.9 : 0.1, feedback: ['no'], recommendations: [] }
      const executor = {
        execute: async ({ purpose }: { purpose: string }) =>
          purpose === 'work' ? { output: 'done' } : { output: '', structured: review },
      }
      if (services) {
        for (const Service of [ManagerAgentService, WorkerAgentService])
          await bench.running(new Service({ store, executor })).start()
      }
      const ended = (id: string, status: string) =>
        untilOrSay(async () => (await saga.status(id)).status === status, {
          what: `workflow ${id} is ${status}`,
          stand: async () => ({ called, failures, ...(await stand(store, id)), process: await saga.status(id) }),
        })
      return { store, clock, called, saga, ended }
    }

    it('assign → completion → review → gates → delivery', async () => {
      const { store, called, saga, ended } = await setUp()
      const id = await saga.request(request, 'wf-1')
      expect(await saga.request(request, 'wf-1')).toBe(id)
      await ended(id, 'completed')
      expect(called).toEqual(['prepare', 'deliver work'])
      expect(await readSession(store, id)).toMatchObject({ status: 'completed', workDir: '/work/wf-1' })
      expect((await saga.status(id)).state).toMatchObject({ phase: 'accepted', failedGates: [] })
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
    const gate = (passed: boolean) =>
      ({
        type: 'QualityGateResult',
        data: { attempt: 1, callId: 'g', gateId: 'tests', mandatory: true, passed, score: 0, explanation: '' },
      }) as const

    it('names the gates that failed, and undoes in reverse order', () => {
      given(requested).when(prepared).thenSends('WorkflowCommand')
      given(requested, prepared, gate(false))
        .when(failed)
        .thenState({
          status: 'compensating',
          compensation: { reason: 'the session failed: no plan (failed gates: tests)', queue: ['workspace'] },
        })
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
