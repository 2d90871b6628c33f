import type { HostCallOptions, HostCallResult } from '../../src/agents/executors/host-executor.ts'
import type { CoordinatorExtras } from '../../src/compat/coordinator-extras.ts'
import type { CoordinationEvent, SDKDualAgentOptions } from '../../src/compat/host-types.ts'
import { SDKDualAgentCoordinator } from '../../src/compat/sdk-dual-agent-coordinator.ts'
import { approval, planOf, rejection } from '../agents/session/play.ts'

export { approval, planOf, rejection }

export interface Asked {
  readonly purpose: 'plan' | 'work' | 'review'
  readonly prompt: string
  readonly options: HostCallOptions
}

/** The host's executor: text in, text out. */
export class HostAgents {
  readonly asked: Asked[] = []
  isThere = true
  review: (nth: number) => unknown = () => approval
  work: (nth: number) => Partial<HostCallResult> | Promise<Partial<HostCallResult>> = () => ({})
  readonly #plan: unknown

  constructor(plan: unknown) {
    this.#plan = plan
  }

  isAvailable(): boolean {
    return this.isThere
  }

  async executeWithSDK(prompt: string, options: HostCallOptions): Promise<HostCallResult> {
    const purpose = prompt.includes('"workItems"') ? 'plan' : prompt.includes('"approved"') ? 'review' : 'work'
    this.asked.push({ purpose, prompt, options })
    const usual = { exitCode: 0, messages: [], hasError: false, executionTime: 1 }
    if (purpose === 'work') return { ...usual, output: 'did it', ...(await this.work(this.count('work'))) }
    const answer = purpose === 'plan' ? this.#plan : this.review(this.count('review'))
    return { ...usual, output: typeof answer === 'string' ? answer : `Here it is: ${JSON.stringify(answer)}` }
  }

  count(purpose: Asked['purpose']): number {
    return this.asked.filter((asked) => asked.purpose === purpose).length
  }
}

/** Everything its listeners hear, in order: `coordination_event`s by their type. */
export function heardBy(coordinator: SDKDualAgentCoordinator): { names: string[]; all: [string, unknown][] } {
  const all: [string, unknown][] = []
  const names: string[] = []
  for (const name of [
    'agents_initialized',
    'coordination_event',
    'message_sent',
    'agent_error',
    'coordination_shutdown',
    'error',
  ]) {
    coordinator.on(name, (payload: CoordinationEvent) => {
      all.push([name, payload])
      names.push(name === 'coordination_event' ? detailOf(payload) : name)
    })
  }
  return { names, all }
}

/** The coordination events of one type. */
export function eventsOf(all: readonly [string, unknown][], type: CoordinationEvent['type']): CoordinationEvent[] {
  const events = all.filter(([name]) => name === 'coordination_event').map(([, event]) => event as CoordinationEvent)
  return events.filter((event) => event.type === type)
}

function detailOf({ type, data }: CoordinationEvent): string {
  const detail = data.newPhase ?? data.phase
  return detail === undefined ? type : `${type} ${String(detail)}`
}

export const eConfig = {
  coordinationInterval: 15_000,
  qualityGateThreshold: 0.8,
  maxConcurrentTasks: 2,
  enableCrossValidation: true,
  timeoutMs: 300_000,
  retryAttempts: 2,
}

export async function runOnce(
  extras: CoordinatorExtras,
  options: SDKDualAgentOptions = {},
  config: ConstructorParameters<typeof SDKDualAgentCoordinator>[0] = eConfig,
) {
  const coordinator = new SDKDualAgentCoordinator(config, {
    sessionFiles: false,
    workDirChanges: false,
    reapEveryMs: 20,
    ...extras,
  })
  const heard = heardBy(coordinator)
  await coordinator.startCoordination('build it', options)
  return { coordinator, ...heard }
}
