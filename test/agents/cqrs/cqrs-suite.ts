import { describe, expect, it } from 'vitest'
import { AgentCommandHandler } from '../../../src/agents/cqrs/agent-command-handler.ts'
import { AgentCommandService } from '../../../src/agents/cqrs/agent-command-service.ts'
import { AgentQueryService } from '../../../src/agents/cqrs/agent-query-service.ts'
import { readSession } from '../../../src/agents/read-sessions.ts'
import { ManagerAgentService, WorkerAgentService } from '../../../src/agents/role-services.ts'
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
