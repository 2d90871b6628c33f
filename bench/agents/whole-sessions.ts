import { tmpdir } from 'node:os'
import type { AgentExecutor, AgentRequest } from '../../src/agents/executor.ts'
import type { KafkaAgentCoordinator } from '../../src/agents/kafka-agent-coordinator.ts'
import { percentile, settle, timed } from '../report.ts'
import { type Engine, type EngineOptions, loadBuilt, type OpenEngine } from './engine.ts'
import { answersOf, plannedItems, sentItems } from './instant.ts'

/*
 * Ours as users have it: sessions of the coordinator, of the built package. Each step is an agent's call, reserved and
 * claimed before it runs, its outcome recorded with what follows from it. A session of three steps is planned (plan, work,
 * review); a longer one brings its work items, and each of them is two steps (work, review).
 */

interface Built {
  readonly openEventStore: typeof import('../../src/store/open-event-store.ts').openEventStore
  readonly KafkaAgentCoordinator: typeof import('../../src/agents/kafka-agent-coordinator.ts').KafkaAgentCoordinator
}

const PLANNED_STEPS = 3
const settings = { maxConcurrentTasks: 1 }

interface Open {
  readonly coordinator: KafkaAgentCoordinator
  close(): Promise<void>
}

type Where = Pick<EngineOptions, 'packages' | 'place'>

async function open({ packages, place }: Where, executor: AgentExecutor): Promise<Open> {
  const { openEventStore } = await loadBuilt<Built>(packages, 'index')
  const { KafkaAgentCoordinator } = await loadBuilt<Built>(packages, 'agents')
  const store = await openEventStore(place)
  const coordinator = new KafkaAgentCoordinator({ store, executor, workDirChanges: false, gates: false })
  return {
    coordinator,
    async close() {
      await coordinator.close()
      await store.close()
    },
  }
}

export const wholeSessions: OpenEngine = async ({ packages, place, step }): Promise<Engine> => {
  const { coordinator, close } = await open({ packages, place }, executorOf(step))
  return { run: (id, steps) => run(coordinator, id, steps), close }
}

async function run(coordinator: KafkaAgentCoordinator, sessionId: string, steps: number): Promise<void> {
  const options = { sessionId, workDir: tmpdir(), settings }
  const view = await (steps === PLANNED_STEPS
    ? coordinator.run('Measure', options)
    : created(coordinator, { ...options, workItems: sentItems(steps / 2) }).then(() => coordinator.resume(sessionId)))
  if (view.status !== 'completed') throw new Error(`A session of ${steps} steps has ${view.status}: ${view.reason}`)
}

/** One that was begun before is gone on with. */
async function created(
  coordinator: KafkaAgentCoordinator,
  options: Parameters<KafkaAgentCoordinator['create']>[1],
): Promise<void> {
  await coordinator.create('Measure', options).catch((error: { readonly code?: string }) => {
    if (error.code !== 'SESSION_EXISTS') throw error
  })
}

function executorOf(step: EngineOptions['step']): AgentExecutor {
  const answers = answersOf(1)
  return {
    async execute({ sessionId, callId, purpose }) {
      await step(sessionId, numberOf(callId), callId.includes('~'))
      return { output: answers[purpose] }
    },
  }
}

/** `work:item-7:1` → 14, `review:item-7:1` → 15, `plan:1` → 0. */
function numberOf(callId: string): number {
  const [, purpose, item] = /^(\w+):item-(\d+):/.exec(callId) ?? []
  return Number(item ?? 0) * 2 + (purpose === 'review' ? 1 : 0)
}

/**
 * Many sessions of five planned work items with an executor that takes its time, some at once: what a call took more than
 * its executor, from the beginning of one call to that of the next one in its session.
 */
export async function overheadPerCall(
  where: Where,
  { sessions, atOnce }: { readonly sessions: number; readonly atOnce: number },
): Promise<{ p50Ms: number; perSecond: number }> {
  const [workItems, delayMs] = [5, 5]
  const begun = new Map<string, number>()
  const gaps: number[] = []
  const answers = answersOf(workItems)
  const execute = async ({ sessionId, purpose }: AgentRequest) => {
    const now = performance.now()
    const before = begun.get(sessionId)
    if (before !== undefined) gaps.push(now - before)
    begun.set(sessionId, now)
    await new Promise((resolve) => setTimeout(resolve, delayMs))
    return { output: answers[purpose] }
  }
  const { coordinator, close } = await open(where, { execute })
  await settle()
  let left = sessions
  const caller = async () => {
    while (left-- > 0) await coordinator.run('Measure', { workDir: tmpdir(), settings })
  }
  const ms = await timed(() => Promise.all(Array.from({ length: atOnce }, caller)))
  await close()
  const calls = 1 + plannedItems(workItems).length * 2
  return { p50Ms: percentile(gaps, 0.5) - delayMs, perSecond: (calls * sessions * 1000) / ms }
}
