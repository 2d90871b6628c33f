import { afterEach, describe, expect, it } from 'vitest'
import type { AgentExecutor, AgentRequest } from '../../src/agents/executor.ts'
import { foldSession } from '../../src/agents/fold-session.ts'
import { KafkaAgentCoordinator } from '../../src/agents/kafka-agent-coordinator.ts'
import { ManagerAgentService, WorkerAgentService } from '../../src/agents/role-services.ts'
import type { SessionEvent } from '../../src/agents/session/schemas.ts'
import type { SessionView } from '../../src/agents/session/view.ts'
import { WorkflowOrchestrator } from '../../src/agents/workflow-orchestrator.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { approval, planOf, rejection } from './session/play.ts'

const plan = planOf({ a: {}, b: {}, c: { dependencies: ['a', 'b'] } })
const settings = { maxConcurrentTasks: 2, gates: [{ gateId: 'tests', command: ['true'] }] }

/** Both styles get the same answers: `b` is rejected at its first review. */
const executor: AgentExecutor = {
  execute: async (request) => ({ output: `${request.callId} done`, structured: answerTo(request), costUsd: 0.01 }),
}

function answerTo({ purpose, workItemId, attempt }: AgentRequest): unknown {
  if (purpose === 'plan') return plan
  if (purpose === 'work') return undefined
  return workItemId === 'b' && attempt === 1 ? rejection : approval
}

interface Ran {
  readonly view: SessionView
  readonly events: readonly SessionEvent[]
}

/** The same session in both styles over any log. */
export function stylesSuite(name: string, open: () => Promise<EventStore>): void {
  const opened: { close(): Promise<void> }[] = []
  afterEach(async () => {
    for (const thing of opened.splice(0).reverse()) await thing.close()
  })
  const keep = <T extends { close(): Promise<void> }>(thing: T): T => {
    opened.push(thing)
    return thing
  }

  async function orchestrated(store: EventStore): Promise<Ran> {
    const orchestrator = keep(new WorkflowOrchestrator({ store, executor, settings, workDirChanges: false }))
    return ran(store, await orchestrator.run('build it', { sessionId: 'orchestrated' }))
  }

  async function choreographed(store: EventStore): Promise<Ran> {
    const services = [
      new ManagerAgentService({ store, executor }),
      new WorkerAgentService({ store, executor, concurrency: 2, workDirChanges: false }),
    ]
    const gates = keep(new KafkaAgentCoordinator({ store }))
    for (const service of services) {
      opened.push({ close: () => service.stop() })
      await service.start()
    }
    await gates.start()
    const view = await gates.run('build it', {
      sessionId: 'choreographed',
      settings: { ...settings, dispatch: 'topics' },
    })
    return ran(store, view)
  }

  describe(`orchestration and choreography (${name})`, () => {
    it('end in the same accepted items, by the same events for each call and each item', async () => {
      const store = keep(await open())
      const [one, other] = [await orchestrated(store), await choreographed(store)]
      expect(one.view).toMatchObject({ status: 'completed', dispatch: 'local' })
      expect(other.view).toMatchObject({ status: 'completed', dispatch: 'topics' })
      expect(outcomesOf(other.view)).toEqual(outcomesOf(one.view))
      expect(historiesOf(other.events)).toEqual(historiesOf(one.events))
    })

    it('differ in who claims, in when, and in how the items interleave: nothing else', async () => {
      const store = keep(await open())
      const [one, other] = [await orchestrated(store), await choreographed(store)]
      // Who: one process makes every call; or each role's service its own (gates: the coordinator).
      expect(ownersByRole(one)).toEqual({ manager: 1, worker: 1, gate: 1, all: 1 })
      expect(ownersByRole(other)).toEqual({ manager: 1, worker: 1, gate: 1, all: 3 })
      // When: the orchestrator claims what it reserves in the same append; a service claims when the task reaches it.
      expect(one.events.filter(isClaimApart)).toEqual([])
      // How they interleave: without the order between items, and without the claims, the histories are one.
      const sorted = ({ events }: Ran) => events.map(withoutTheRun).filter(Boolean).sort()
      expect(sorted(other)).toEqual(sorted(one))
    })
  })
}

async function ran(store: EventStore, view: SessionView): Promise<Ran> {
  const events: SessionEvent[] = []
  for await (const { event } of foldSession(store, view.sessionId)) events.push(event)
  return { view, events }
}

function outcomesOf({ workItems, totals }: SessionView): unknown {
  return { workItems, totals }
}

/** Every call's and every item's events in their order. */
function historiesOf(events: readonly SessionEvent[]): Record<string, string[]> {
  const histories: Record<string, string[]> = {}
  for (const { type, data } of events) {
    const about =
      'callId' in data ? `call ${data.callId}` : 'workItemId' in data ? `item ${data.workItemId}` : 'session'
    histories[about] = [...(histories[about] ?? []), type]
  }
  return Object.fromEntries(Object.entries(histories).sort(([a], [b]) => a.localeCompare(b)))
}

function ownersByRole({ view }: Ran): Record<string, number> {
  const count = (role?: string) =>
    new Set(view.calls.filter((call) => role === undefined || call.role === role).map(({ owner }) => owner)).size
  return { manager: count('manager'), worker: count('worker'), gate: count('gate'), all: count() }
}

/** A claim that does not follow the reservation of its append (or another claim of it). */
function isClaimApart({ type }: SessionEvent, index: number, events: readonly SessionEvent[]): boolean {
  const before = events[index - 1]?.type
  return type === 'AgentCallClaimed' && before !== 'AgentCallReserved' && before !== 'AgentCallClaimed'
}

/** What an event says, apart from who did it, how long it took and how it was asked for. */
function withoutTheRun({ type, data }: SessionEvent): string | undefined {
  if (type === 'AgentCallClaimed' || type === 'SessionCreated') return undefined
  const { durationMs: _, epoch: __, requestDigest: ___, ...said } = data as Record<string, unknown>
  return `${type} ${JSON.stringify(said)}`
}
