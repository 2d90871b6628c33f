import type { SessionCommand } from '../../../src/agents/session/commands.ts'
import { decideSession } from '../../../src/agents/session/decide.ts'
import { evolveSession, initialSessionState } from '../../../src/agents/session/evolve.ts'
import type { SessionEvent } from '../../../src/agents/session/schemas.ts'
import { type SessionSettingsInput, settingsSchema } from '../../../src/agents/session/settings.ts'
import { type CallState, openCalls, type SessionState } from '../../../src/agents/session/state.ts'

/** A session played without a store: commands in, history and state out. */
export class Play {
  readonly history: SessionEvent[] = []
  state: SessionState = initialSessionState()

  constructor(settings: SessionSettingsInput = {}, nowMs?: number) {
    this.do({
      kind: 'create',
      task: 'build it',
      workDir: '/project',
      settings: settingsSchema.parse(settings),
      owner: 'runner',
      createdBy: 'test',
      ...(nowMs !== undefined && { nowMs }),
    })
  }

  do(command: SessionCommand): SessionEvent[] {
    const events = decideSession(command, this.state)
    this.state = events.reduce(evolveSession, this.state)
    this.history.push(...events)
    return [...events]
  }

  names(events: readonly SessionEvent[] = this.history): string[] {
    return events.map((event) => event.type)
  }

  count(type: SessionEvent['type']): number {
    return this.history.filter((event) => event.type === type).length
  }

  open(): CallState[] {
    return openCalls(this.state, () => true)
  }

  claim(callId: string, owner = 'worker-1'): number {
    this.do({ kind: 'claim', callId, owner })
    return this.state.calls.get(callId)!.epoch
  }

  /** Claims and completes with a text or a value. */
  answer(callId: string, answer: unknown, costUsd = 0.1): SessionEvent[] {
    const epoch = this.claim(callId)
    const result =
      typeof answer === 'string' ? { output: answer, costUsd } : { output: '', structured: answer, costUsd }
    return this.do({ kind: 'complete', callId, epoch, owner: 'worker-1', result, durationMs: 5 })
  }

  gate(callId: string, passed: boolean): SessionEvent[] {
    const epoch = this.claim(callId)
    const gate = {
      passed,
      score: passed ? 1 : 0,
      explanation: passed ? 'exit code 0' : 'exit code 1',
      evidence: 'not ok 1',
    }
    return this.do({ kind: 'complete-gate', callId, epoch, owner: 'worker-1', gate, durationMs: 5 })
  }
}

export function planOf(items: Record<string, { dependencies?: string[]; priority?: number }>) {
  return {
    strategy: 'step by step',
    workItems: Object.entries(items).map(([id, item]) => ({
      id,
      title: `Title of ${id}`,
      description: `Do ${id}`,
      acceptanceCriteria: ['it works'],
      priority: item.priority ?? 3,
      dependencies: item.dependencies ?? [],
    })),
  }
}

export const approval = { approved: true, qualityScore: 0.9, feedback: [], recommendations: [] }
export const rejection = { approved: false, qualityScore: 0.3, feedback: ['Round the total'], recommendations: [] }
