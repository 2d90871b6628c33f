import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { AgentCommandHandler } from '../../../src/agents/cqrs/agent-command-handler.ts'
import { AgentCommandService } from '../../../src/agents/cqrs/agent-command-service.ts'
import { AgentQueryService } from '../../../src/agents/cqrs/agent-query-service.ts'
import { KafkaAgentCoordinator } from '../../../src/agents/kafka-agent-coordinator.ts'
import { readSession } from '../../../src/agents/read-sessions.ts'
import { ManagerAgentService, WorkerAgentService } from '../../../src/agents/role-services.ts'
import { sessionStore } from '../../../src/agents/session/session-events.ts'
import { SessionLog } from '../../../src/agents/session-log.ts'
import { sqliteViews } from '../../../src/processing/sqlite-views.ts'
import { type LogKind, until, workbench } from '../../processing/logs.ts'

const item = (id: string) => ({ id, title: `do ${id}`, description: id, acceptanceCriteria: ['it is done'] })

export function cqrsSuite(log: LogKind): void {
  const bench = workbench()

  describe(`commands and queries: ${log.name}`, () => {
    async function setUp() {
      const store = await bench.open(log.newUrl(bench.folder()))
      const commands = new AgentCommandService({ store })
      const queries = bench.running(new AgentQueryService({ store }))
      const create = (sessionId: string, more: object = {}) =>
        commands.createSession({
          sessionId,
          task: `task of ${sessionId}`,
          workDir: '.',
          workItems: [item('a')],
          ...more,
        })
      return { store, commands, queries, create }
    }

    it('a work item is created, done by services, and its status and costs are read from the view', async () => {
      const { store, commands, queries, create } = await setUp()
      const created = await create('s1')
      const added = await commands.createWorkItem({ sessionId: 's1', workItem: item('b') })
      expect(added.events).toContain('WorkItemCreated')
      expect(await queries.getWorkItemStatus('s1', 'b', { after: added })).toMatchObject({ title: 'do b', costUsd: 0 })
      expect(created.repeated).toBe(false)
      const executor = {
        execute: async ({ purpose }: { purpose: string }) => {
          const review = { approved: true, qualityScore: 0.9, feedback: [], recommendations: [] }
          return purpose === 'work'
            ? { output: 'done', costUsd: 0.05 }
            : { output: '', structured: review, costUsd: 0.01 }
        },
      }
      const services = [new ManagerAgentService({ store, executor }), new WorkerAgentService({ store, executor })]
      for (const service of services) await bench.running(service).start()
      await until(async () => (await queries.getSession('s1')).status === 'completed')
      const view = await readSession(store, 's1')
      expect(view.totals.accepted).toBe(2)
      expect(await queries.getWorkItemStatus('s1', 'a')).toEqual({
        title: 'do a',
        status: 'accepted',
        attempts: 1,
        revisions: 0,
        costUsd: expect.closeTo(0.06),
        qualityScore: 0.9,
      })
      const costs = await queries.getCosts('s1')
      expect(costs.totalUsd).toBeCloseTo(view.totals.costUsd)
      expect(costs.calls).toEqual({ manager: 2, worker: 2, gate: 0 })
      expect(costs.byRole.worker).toBeCloseTo(0.1)
      const listed = await queries.listSessions({ status: 'completed' })
      expect(listed).toMatchObject([{ sessionId: 's1', workItems: 2, accepted: 2, version: view.version }])
    })

    it('a session is paused, gone on with, told its phase and given more; each is a fact, carried out once', async () => {
      const { store, commands, queries, create } = await setUp()
      await create('s1', { settings: { budget: { maxUsd: 10, roles: { worker: { maxCalls: 1 } } } } })
      const of = { sessionId: 's1' }
      const told = await commands.updateWorkflowState({ ...of, phase: 'analysis', note: 'reading' })
      expect(await queries.getSession('s1', { after: told })).toMatchObject({ phase: 'analysis' })
      const paused = await commands.pauseSession({ ...of, reason: 'lunch' })
      expect(await queries.getSession('s1', { after: paused })).toMatchObject({ status: 'paused', reason: 'lunch' })
      const resumed = await commands.resumeSession({ ...of, commandId: 'r1' })
      expect(resumed.events).toContain('SessionResumed')
      expect((await queries.getSession('s1', { after: resumed })).status).toBe('running')
      expect(await commands.resumeSession({ ...of, commandId: 'r1' })).toMatchObject({ repeated: true })
      expect((await commands.resumeSession(of)).events).toEqual([])
      const limits = { role: 'worker', maxCalls: 7 } as const
      expect((await commands.raiseBudget({ ...of, limits })).events).toContain('BudgetRaised')
      await commands.raiseBudget({ ...of, limits: { maxWallClockMs: 60_000, maxUsd: 20 } })
      await commands.raiseBudget({ ...of, limits: { ...limits, maxWallClockMs: 90_000 } })
      const { settings } = (await new SessionLog(sessionStore(store)).load('s1')).state
      const worker = { maxCalls: 7, maxWallClockMs: 90_000 }
      expect(settings.budget).toMatchObject({ maxUsd: 20, maxWallClockMs: 60_000, roles: { worker } })
      await expect(commands.resumeSession({ sessionId: 'nobody' })).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })
    })

    it('what a session waits for a person with is answered by commands: a limit, a rejection, an approval', async () => {
      const { store, commands, queries, create } = await setUp()
      let reviews = 0
      const executor = {
        execute: async ({ purpose }: { purpose: string }) => {
          if (purpose === 'work') return { output: 'done' }
          const approved = ++reviews > 1
          const verdict = { qualityScore: 0.5, feedback: ['not yet'], recommendations: [] }
          return { output: '', structured: { approved, ...verdict } }
        },
      }
      await create('s1', {
        settings: {
          maxRevisions: 0,
          whenRejected: 'ask',
          approvals: { completion: true },
          budget: { roles: { worker: { maxCalls: 1 } } },
        },
      })
      for (const Service of [ManagerAgentService, WorkerAgentService])
        await bench.running(new Service({ store, executor })).start()
      const of = { sessionId: 's1' }
      const asked = async (subject: string) => {
        const pending = async () => {
          const { approvals } = await readSession(store, 's1')
          return approvals.find((each) => each.subject === subject && each.status === 'requested')
        }
        await until(async () => (await pending()) !== undefined)
        return (await pending())!.approvalId
      }
      const verdict = { ...of, approvalId: await asked('verdict'), approved: false, revise: true, reason: 'with tests' }
      expect((await commands.answerApproval(verdict)).events).toContain('RevisionGranted')
      await until(async () => (await readSession(store, 's1')).budget?.exceeded !== undefined)
      await commands.raiseBudget({ ...of, limits: { role: 'worker', maxCalls: 2 } })
      const done = await commands.answerApproval({ ...of, approvalId: await asked('completion'), approved: true })
      expect(done.events).toEqual(['ApprovalGiven', expect.any(String), 'SessionCompleted'])
      expect((await queries.getSession('s1', { after: done })).status).toBe('completed')
      const nothing = commands.answerApproval({ ...of, approvalId: 'no such', approved: true })
      await expect(nothing).rejects.toMatchObject({ code: 'APPROVAL_NOT_FOUND' })
    })

    it('a call in doubt is resolved by a command; a session that one process runs is not resumed from outside', async () => {
      const { store, commands, create } = await setUp()
      await create('s1', { settings: { inDoubt: 'ask' } })
      const sessions = new SessionLog(sessionStore(store))
      const [callId = ''] = [...(await sessions.load('s1')).state.calls.keys()]
      await sessions.handle('s1', { kind: 'claim', callId, owner: 'dead' })
      await sessions.handle('s1', { kind: 'doubt', callId, epoch: 1, reason: 'its owner died' })
      const resolved = await commands.resolveCall({ sessionId: 's1', callId, resolution: 'retry' })
      expect(resolved.events).toEqual(['AgentCallResolved', 'AgentCallReserved'])
      const unknown = commands.resolveCall({ sessionId: 's1', callId: 'none', resolution: 'fail' })
      await expect(unknown).rejects.toMatchObject({ code: 'CALL_NOT_FOUND' })
      const executor = { execute: async () => ({ output: 'no plan' }) }
      const coordinator = new KafkaAgentCoordinator({ store, executor, settings: { maxPlanAttempts: 1 } })
      bench.later(() => coordinator.close())
      await coordinator.run('a task', { sessionId: 'local', workDir: bench.folder() })
      const resumed = commands.resumeSession({ sessionId: 'local' })
      await expect(resumed).rejects.toThrow(/"local" is run by one process/)
    })

    it('rows in a file: the same answers, and who starts again with it has them', async () => {
      const { store, commands, create } = await setUp()
      const views = await sqliteViews(join(bench.folder(), 'views.db'))
      bench.later(() => views.close())
      const first = bench.running(new AgentQueryService({ store, views }))
      await create('s1')
      const added = await commands.createWorkItem({ sessionId: 's1', workItem: item('b') })
      const [row, list] = [await first.getSession('s1', { after: added }), await first.listSessions()]
      expect(Object.keys(row.workItems)).toEqual(['a', 'b'])
      expect(list).toMatchObject([{ sessionId: 's1', workItems: 2, accepted: 0, version: added.currentStreamVersion }])
      await first.stop()
      const paused = await commands.pauseSession({ sessionId: 's1' })
      const second = bench.running(new AgentQueryService({ store, views }))
      const { version, lastEventAt, status, reason, ...same } = await second.getSession('s1', { after: paused })
      expect({ version, status, reason }).toEqual({
        version: paused.currentStreamVersion,
        status: 'paused',
        reason: 'paused by a command',
      })
      expect(same).toEqual(expect.objectContaining({ task: row.task, startedAt: row.startedAt }))
      expect(await second.getCosts('s1')).toMatchObject({ totalUsd: 0 })
      expect(await second.getWorkItemStatus('s1', 'b')).toMatchObject({ title: 'do b' })
    })

    it('P5 a command with an id is carried out once, whatever became of the session', async () => {
      const { store, commands, queries, create } = await setUp()
      const first = await create('s1', { commandId: 'c1' })
      expect(await create('s1', { commandId: 'c1' })).toMatchObject({ repeated: true, events: first.events })
      const more = { sessionId: 's1', commandId: 'c2', workItem: item('b') }
      const both = await Promise.all([commands.createWorkItem(more), commands.createWorkItem(more)])
      expect(both.map(({ repeated }) => repeated).sort()).toEqual([false, true])
      await commands.cancelSession({ sessionId: 's1', commandId: 'c3' })
      expect(await commands.createWorkItem(more)).toMatchObject({ repeated: true })
      const late = commands.createWorkItem({ ...more, commandId: 'c4', workItem: item('c') })
      await expect(late).rejects.toMatchObject({ code: 'SESSION_ENDED' })
      const cancelled = await commands.cancelSession({ sessionId: 's1', commandId: 'c3' })
      expect(cancelled.repeated).toBe(true)
      expect((await queries.getSession('s1', { after: cancelled })).status).toBe('cancelled')
      const view = await readSession(store, 's1')
      expect(view.workItems.map(({ id }) => id)).toEqual(['a', 'b'])
    })

    it('what is wrong is named, and nothing is written', async () => {
      const { store, commands, queries, create } = await setUp()
      const noTitle = { ...item('b'), title: '' }
      await expect(commands.createWorkItem({ sessionId: 's1', workItem: noTitle })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining('workItem.title'),
      })
      const odd = { type: 'createWorkitem', sessionId: 's1', workItem: item('b') } as never
      await expect(new AgentCommandHandler({ store }).handle(odd)).rejects.toThrow('Did you mean "createWorkItem"?')
      await expect(create('s1', { wrong: 1 })).rejects.toThrow(/wrong/)
      const unknown = commands.createWorkItem({ sessionId: 'nobody', workItem: item('b') })
      await expect(unknown).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })
      const created = await create('s2')
      await expect(queries.getWorkItemStatus('s2', 'z', { after: created })).rejects.toThrow('It has: a.')
      await expect(queries.getCosts('nobody')).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' })
      expect((await queries.listSessions()).map(({ sessionId }) => sessionId)).toEqual(['s2'])
    })

    it('other streams are no sessions', async () => {
      const { store, queries, create } = await setUp()
      await store.appendToStream('shop', [{ type: 'SessionPaused', data: { reason: 'closed' } }])
      const created = await create('s1')
      expect((await queries.listSessions({ after: created })).map(({ sessionId }) => sessionId)).toEqual(['s1'])
    })
  })
}
