import { DuologError } from '../core/errors.ts'
import type { EventStore } from '../store/event-store.ts'
import { pause } from '../store/wake-ups.ts'
import { loggerOf } from '../store/warning-logger.ts'
import type { CallRunner } from './call-runner.ts'
import type { AgentResponse, KafkaAgentCoordinatorOptions, ResumeOptions, SentTask } from './coordinator-options.ts'
import { eitherSignal } from './either-signal.ts'
import type { AgentExecutor, AgentRole } from './executor.ts'
import { guardedExecutor, guardedMessage, guardedResult } from './executors/guarded-executor.ts'
import { checked } from './explain-issues.ts'
import { outputKeeper } from './large-outputs.ts'
import { ownVersions, type SessionPrompts } from './prompts/session-prompts.ts'
import type { SessionCommand } from './session/commands.ts'
import type { SessionEventData } from './session/schemas.ts'
import { type SessionSettings, type SessionSettingsInput, settingsSchema } from './session/settings.ts'
import type { SessionState } from './session/state.ts'

export function runningElsewhere(sessionId: string, owner: string): DuologError {
  return new DuologError(
    'SESSION_RUNNING_ELSEWHERE',
    `Session "${sessionId}" is being run by ${owner}, which is alive. Stop that process first, or follow it with: duolog events ${sessionId} --follow`,
    { retry: { afterMs: 1_000 } },
  )
}

interface Waiting extends ResumeOptions {
  readonly store: Pick<EventStore, 'presence'>
  readonly owner: string
  /** Fires when the coordinator closes. */
  readonly closing: AbortSignal
}

const LOOK_EVERY_MS = 100

/** Until nobody else runs it; false when a signal fired before. @throws SESSION_RUNNING_ELSEWHERE when its owner is found alive */
export async function waitUntilFree(
  sessionId: string,
  { status, owner }: SessionState,
  { owner: self, store, signal, closing, onWait }: Waiting,
): Promise<boolean> {
  if (status === 'paused' || owner === self) return true
  const stop = eitherSignal(closing, signal)
  try {
    for (let told = false; ; told = true) {
      const liveness = await store.presence.liveness(owner)
      if (liveness === 'dead') return true
      if (liveness === 'alive') throw runningElsewhere(sessionId, owner)
      if (stop.signal.aborted) return false
      if (!told) onWait?.(`waiting to see whether ${owner}, which ran this session, is alive`)
      await pause(LOOK_EVERY_MS, stop.signal)
    }
  } finally {
    stop.release()
  }
}

/** It ran here, until another process held this one for dead (or paused it) and went on. */
export function takenOver(sessionId: string, owner: string): DuologError {
  return new DuologError(
    'CLAIM_LOST',
    `Session "${sessionId}" is run by ${owner} now, which took it over from this process. Here nothing more of it is begun; follow it with: duolog events ${sessionId} --follow`,
  )
}

/** A local session needs all its roles in the process that runs it; otherwise it would wait for ever. */
export function refuseUnserved({ dispatch }: SessionSettings, runner: CallRunner): void {
  if (dispatch !== 'local') return
  const missing = (['manager', 'worker'] as const).filter((role) => !runner.serves(role))
  if (missing.length === 0) return
  throw new DuologError(
    'INVALID_ARGUMENT',
    `This coordinator has no executor for ${missing.join(' and ')}. Give it one, or let services do the work with settings { dispatch: 'topics' }.`,
  )
}

export function guardedExecutors(options: KafkaAgentCoordinatorOptions): Partial<Record<AgentRole, AgentExecutor>> {
  const { executor, executors, store } = options
  const logger = loggerOf(options)
  const manager = executors?.manager ?? executor
  const worker = executors?.worker ?? executor
  const guarded = (given: AgentExecutor) => guardedExecutor(given, { keepOutput: outputKeeper(store, logger) })
  return { ...(manager && { manager: guarded(manager) }), ...(worker && { worker: guarded(worker) }) }
}

export function asWorkItem(task: SentTask): SessionEventData['WorkItemCreated'] {
  const { workItemId, title, description, acceptanceCriteria, priority = 3, dependencies = [] } = task
  return {
    workItemId,
    title,
    description,
    acceptanceCriteria: [...acceptanceCriteria],
    priority,
    dependencies: [...dependencies],
  }
}

/**
 * What an agent outside says is guarded like what executors say: checked, limited, its secrets taken out.
 *
 * @throws INVALID_ARGUMENT when it says nothing
 */
export async function reportOf(
  { callId, epoch, owner, result, error, durationMs = 0 }: AgentResponse,
  { calls }: SessionState,
  given: Pick<KafkaAgentCoordinatorOptions, 'store' | 'logger'>,
): Promise<SessionCommand> {
  const report = { callId, epoch, owner, durationMs }
  if (result !== undefined) {
    const answersInJson = calls.get(callId)?.purpose !== 'work'
    const keepOutput = outputKeeper(given.store, loggerOf(given))
    const guarded = await guardedResult(result, answersInJson ? { outputSchema: {} } : {}, { keepOutput })
    return { kind: 'complete', ...report, result: guarded }
  }
  if (error === undefined) {
    throw new DuologError('INVALID_ARGUMENT', 'response: has neither a result nor an error; give one of them')
  }
  const { retryable = false, code, message } = error
  return { kind: 'report-failure', ...report, error: { code, message: guardedMessage(message) }, retryable }
}

/** @throws INVALID_ARGUMENT naming each field that is wrong */
export function settingsOf(input: SessionSettingsInput): SessionSettings {
  return checked<SessionSettings>('settings', settingsSchema, input)
}

export function ownPromptVersions(prompts: SessionPrompts): Pick<SessionSettingsInput, 'promptVersions'> {
  return { promptVersions: ownVersions(prompts) }
}
