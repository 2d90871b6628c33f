import { afterEach, describe, expect, it } from 'vitest'
import { readSession } from '../../src/agents/read-sessions.ts'
import { SDKDualAgentCoordinator } from '../../src/compat/sdk-dual-agent-coordinator.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { approval, eConfig, eventsOf, HostAgents, heardBy, planOf, rejection, runOnce } from './agents.ts'

const one = planOf({ a: {} })
const three = planOf({ a: {}, b: {}, c: { dependencies: ['a', 'b'] } })

/** The drop-in's behaviour over any log: `open` gives a fresh one. */
export function compatSuite(name: string, open: () => Promise<EventStore>): void {
  const opened: EventStore[] = []
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close()
  })
  const openStore = async () => {
    opened.push(await open())
    return opened.at(-1)!
  }

  describe(`SDKDualAgentCoordinator (${name})`, () => {
    it('tells of one item what the host knows, in its order', async () => {
      const executor = new HostAgents(one)
      const { names, coordinator } = await runOnce({ store: await openStore(), executor })
      expect(names).toEqual([
        'WORKFLOW_TRANSITION analysis',
        'AGENT_COORDINATION initialization',
        'agents_initialized',
        'WORKFLOW_TRANSITION execution',
        'MANAGER_TASK_ASSIGNMENT',
        'WORKFLOW_TRANSITION planning',
        'WORKFLOW_TRANSITION execution',
        'WORKER_PROGRESS_UPDATE',
        'message_sent',
        'MANAGER_WORKER_HANDOFF',
        'message_sent',
        'MANAGER_QUALITY_CHECK',
        'WORKFLOW_TRANSITION completion',
        'EXECUTION_COMPLETE',
        'coordination_shutdown',
      ])
      expect(executor.asked.map(({ purpose }) => purpose)).toEqual(['plan', 'work', 'review'])
      expect(coordinator.getWorkflowState()).toMatchObject({
        phase: 'completion',
        totalWorkItems: 1,
        completedWorkItems: 1,
        activeWorkItems: [],
        overallProgress: 1,
        qualityMetrics: { averageScore: 0.9, gatesPassed: 1, gatesFailed: 0, criticalIssues: 0 },
      })
    })

    it('N items cost N calls of the Worker and N reviews, each handed over once, dependencies first', async () => {
      const executor = new HostAgents(three)
      const { names, all, coordinator } = await runOnce({ store: await openStore(), executor })
      expect([executor.count('plan'), executor.count('work'), executor.count('review')]).toEqual([1, 3, 3])
      const told = (of: string) => names.filter((each) => each === of)
      expect(told('MANAGER_TASK_ASSIGNMENT')).toHaveLength(1)
      for (const each of ['WORKER_PROGRESS_UPDATE', 'MANAGER_WORKER_HANDOFF', 'MANAGER_QUALITY_CHECK']) {
        expect(told(each), each).toHaveLength(3)
      }
      expect(told('message_sent')).toHaveLength(6)
      const handed = eventsOf(all, 'MANAGER_WORKER_HANDOFF').map(({ workItemId }) => workItemId)
      expect(handed.slice(0, 2).toSorted()).toEqual(['a', 'b'])
      expect(handed[2]).toBe('c')
      expect(coordinator.getHandoffMetrics().totalHandoffs).toBe(3)
      expect(coordinator.validateSDKHandoffExecution()).toEqual({
        handoffsTriggered: true,
        workerExecutions: true,
        managerReviews: true,
        communicationFlow: true,
        coordinationType: 'SDK_BASED',
        issues: [],
      })
    })

    it('a rejected item goes back with the feedback, whatever its text says', async () => {
      const executor = new HostAgents(one)
      executor.work = () => ({ output: 'Added error handling. All done.' })
      executor.review = (nth) => (nth === 1 ? rejection : approval)
      const { all, coordinator } = await runOnce({ store: await openStore(), executor })
      const works = executor.asked.filter(({ purpose }) => purpose === 'work')
      expect(works).toHaveLength(2)
      expect(works[1]?.prompt).toContain('Round the total')
      const [, again] = eventsOf(all, 'MANAGER_TASK_ASSIGNMENT')
      expect(again).toMatchObject({
        type: 'MANAGER_TASK_ASSIGNMENT',
        workItemId: 'a',
        data: { reason: 'revision', attempt: 2, feedback: ['Round the total'], workItems: [{ id: 'a' }] },
      })
      expect(coordinator.getWorkflowState()).toMatchObject({
        completedWorkItems: 1,
        qualityMetrics: { gatesPassed: 1, gatesFailed: 1 },
      })
    })

    it('a failed call is told, assigned again, and made again', async () => {
      const executor = new HostAgents(one)
      executor.work = (nth) => (nth === 1 ? { hasError: true, output: 'no disk' } : {})
      const { names, all } = await runOnce({ store: await openStore(), executor })
      const from = names.indexOf('WORKER_PROGRESS_UPDATE')
      expect(names.slice(from, from + 4)).toEqual([
        'WORKER_PROGRESS_UPDATE',
        'agent_error',
        'MANAGER_TASK_ASSIGNMENT',
        'WORKER_PROGRESS_UPDATE',
      ])
      const errors = all.filter(([event]) => event === 'agent_error').map(([, payload]) => payload)
      expect(errors).toEqual([
        {
          id: expect.stringMatching(/^sdk-err-\d+-[a-z0-9]{5}$/),
          agentRole: 'worker',
          workItemId: 'a',
          errorType: 'tool_failure',
          message: expect.stringContaining('no disk'),
          recoveryStrategy: { type: 'retry', maxAttempts: 3, backoffMs: expect.any(Number) },
          timestamp: expect.any(Date),
        },
      ])
    })

    it('getters answer copies with dates, also after shutdown; listeners get copies, too', async () => {
      const { coordinator, all } = await runOnce({ store: await openStore(), executor: new HostAgents(one) })
      await coordinator.shutdown()
      const context = coordinator.getExecutionContext()
      expect(context).toMatchObject({
        sessionId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        userRequest: 'build it',
        managerState: { role: 'manager', model: 'opus', status: 'idle' },
        workerState: { role: 'worker', model: 'sonnet', performance: { tasksCompleted: 1, errorRate: 0 } },
        config: eConfig,
      })
      expect(context.workflowState.startTime).toBeInstanceOf(Date)
      const [report, check] = coordinator.getCommunicationHistory()
      expect(report).toMatchObject({
        id: expect.stringMatching(/^sdk-msg-\d+-[a-z0-9]{5}$/),
        from: 'worker',
        to: 'manager',
        type: 'completion_report',
        payload: {
          workItemId: 'a',
          output: 'did it',
          result: { success: true, output: 'did it' },
          workItem: { id: 'a' },
        },
        timestamp: expect.any(Date),
      })
      expect(check).toMatchObject({
        from: 'manager',
        type: 'quality_check',
        payload: { gateId: 'manager_review_sdk', passed: true, score: 0.9, coordinationType: 'SDK_BASED' },
      })
      expect((report!.payload.workItem as { createdAt: unknown }).createdAt).toBeInstanceOf(Date)
      expect(coordinator.getHandoffMetrics().lastHandoffTime).toBeInstanceOf(Date)

      context.communicationHistory.length = 0
      context.workflowState.startTime.setTime(0)
      report!.payload.workItem = 'gone'
      for (const [event, payload] of all) if (event === 'message_sent') (payload as { payload: object }).payload = {}
      coordinator.getWorkflowState().activeWorkItems.push('ghost')
      expect(coordinator.getExecutionContext().communicationHistory).toHaveLength(2)
      expect(coordinator.getCommunicationHistory()[0]?.payload.workItem).toMatchObject({ id: 'a' })
      expect(coordinator.getWorkflowState()).toMatchObject({ activeWorkItems: [] })
      expect(coordinator.getWorkflowState().startTime.getTime()).toBeGreaterThan(0)
    })

    it('shutdown pauses what runs, once; the session is gone on with by its id, and nothing is paid twice', async () => {
      const store = await openStore()
      const executor = new HostAgents(three)
      const first = new SDKDualAgentCoordinator({ maxConcurrentTasks: 1 }, { store, executor, sessionFiles: false })
      const heard = heardBy(first)
      first.on('message_sent', ({ from }: { from: string }) => from === 'manager' && void first.shutdown())
      await first.startCoordination('build it')
      await Promise.all([first.shutdown(), first.shutdown()])
      expect(heard.names.filter((each) => each === 'coordination_shutdown')).toHaveLength(1)
      expect(heard.names.at(-1)).toBe('coordination_shutdown')
      const { sessionId } = first.getExecutionContext()
      expect((await readSession(store, sessionId)).status).toBe('paused')
      const reviewed = executor.count('review')

      const { coordinator, names } = await runOnce({ store, executor, resume: sessionId }, {}, {})
      expect(names.slice(0, 2)).toEqual(['AGENT_COORDINATION resumed', 'agents_initialized'])
      expect(names.filter((each) => each === 'MANAGER_QUALITY_CHECK')).toHaveLength(3 - reviewed)
      expect(coordinator.getWorkflowState()).toMatchObject({ completedWorkItems: 3, phase: 'completion' })
      expect(coordinator.getHandoffMetrics().totalHandoffs).toBe(3)
      expect(executor.count('plan')).toBe(1)
    })
  })
}
