import { isDuologError } from '../core/errors.ts'
import { messageOf } from '../core/message-of.ts'
import { reach } from '../core/reach.ts'
import { callWithin } from '../processing/handler-call.ts'
import type { Outcome, Processor, ProcessorContext } from '../processing/processor-options.ts'
import { startProcessor } from '../processing/start-processor.ts'
import { describe } from '../store/check-arguments.ts'
import type { EventStore } from '../store/event-store.ts'
import type { AgentCommandHandler } from './cqrs/agent-command-handler.ts'
import { check } from './explain-issues.ts'
import {
  streamOf,
  WORKFLOW_TOPIC,
  type WorkflowCommand,
  type WorkflowEvent,
  type WorkflowRequest,
  workflowCommandSchema,
} from './workflow-events.ts'

/*
 * Carries out what the workflow saga asks for: one workflow's commands one after the other, several workflows side by side.
 *
 * P5 The answer's key is the command's id: asked again, it is answered once.
 * P9 Whatever a workspace does, the other workflows do not wait for it, and its own only as long as its time limit.
 */

/** A workflow, as its workspace sees it. */
export interface Workflow {
  readonly workflowId: string
  readonly request: WorkflowRequest
  /** Absent before it was prepared. */
  readonly workDir?: string
}

/**
 * What surrounds the agents' work. Each may be called again for the same workflow after a crash or without an answer in
 * time, and must then end the same. Who rejects says why: the workflow is undone, or a `discard` tried again. The signal
 * fires when the time is over or this instance stops: what goes on after it is not waited for.
 */
export interface Workspace {
  /** Makes a place to work: a branch, a worktree, a copy. Answers its path. */
  prepare(workflow: Workflow, signal: AbortSignal): Promise<string>
  /** The session was completed and every mandatory gate passed: merges, publishes, hands over. */
  deliver(workflow: Workflow, signal: AbortSignal): Promise<void>
  /** Takes away what `prepare` and the agents made; content when there is nothing. */
  discard(workflow: Workflow, signal: AbortSignal): Promise<void>
}

export interface WorkflowWorkerOptions {
  readonly store: EventStore
  readonly workspace: Workspace
  readonly commands: AgentCommandHandler
  /** How long the workspace may take for each. */
  readonly limits: { readonly workspaceMs: number; readonly deliveryMs: number }
  /** Workflows at once per partition. */
  readonly concurrency: number
  readonly onError?: (error: unknown) => void
}

const GRACE_MS = 5_000
/** What a timer can wait. */
const MAX_TIMEOUT_MS = 2_147_483_647

export function startWorkflowWorker(options: WorkflowWorkerOptions): Processor {
  const worker = new WorkflowWorker(options)
  const { store, concurrency, onError } = options
  return startProcessor({
    store,
    group: 'dual-agent-workflow.workspace',
    topics: [WORKFLOW_TOPIC],
    order: 'key',
    concurrency,
    // What is not an answer is a log that does not get on: its workflow waits for it.
    retry: { maxAttempts: Number.POSITIVE_INFINITY, longestPauseMs: 5_000, isRetryable: () => true },
    graceMs: GRACE_MS,
    handler: ({ eventId, data }, context) => worker.carryOut(eventId, data, context),
    ...(onError && { onError }),
  })
}

class WorkflowWorker {
  readonly #options: WorkflowWorkerOptions

  constructor(options: WorkflowWorkerOptions) {
    this.#options = options
  }

  async carryOut(eventId: string, data: unknown, context: ProcessorContext): Promise<Outcome | undefined> {
    const checked = check(workflowCommandSchema, data)
    if (!checked.ok)
      return { kind: 'deadLetter', reason: `It is no command of a workflow: ${checked.errors.join('; ')}` }
    reach('workflow.command.begin')
    const event = await this.#answerTo(data as WorkflowCommand, eventId, context.signal)
    reach('workflow.command.done')
    await context.append(streamOf(event.data), [event], { idempotencyKey: eventId })
    return undefined
  }

  async #answerTo(command: WorkflowCommand, commandId: string, signal: AbortSignal): Promise<WorkflowEvent> {
    const { workflowId } = command
    try {
      return await this.#do(command, commandId, signal)
    } catch (error) {
      // This instance stops, or the log itself does not get on: that is no answer, the command comes again.
      if (signal.aborted || (isDuologError(error) && error.retry !== 'never')) throw error
      const reason = messageOf(error)
      return { type: REFUSALS[command.kind], data: { workflowId, reason } }
    }
  }

  async #do(command: WorkflowCommand, commandId: string, signal: AbortSignal): Promise<WorkflowEvent> {
    const { workspace, limits, commands } = this.#options
    const { workflowId } = command
    switch (command.kind) {
      case 'prepare': {
        const prepare = (within: AbortSignal) => workspace.prepare(command, within)
        const workDir = checkedPath(await timed('prepare', limits.workspaceMs, signal, prepare))
        return { type: 'WorkspacePrepared', data: { workflowId, workDir } }
      }
      case 'deliver':
        await timed('deliver', limits.deliveryMs, signal, (within) => workspace.deliver(command, within))
        return { type: 'WorkDelivered', data: { workflowId } }
      case 'discard':
        await timed('discard', limits.workspaceMs, signal, (within) => workspace.discard(command, within))
        return { type: 'WorkspaceDiscarded', data: { workflowId } }
      case 'session':
        await commands.handle({ ...command.command, commandId })
        return { type: 'WorkflowSessionStarted', data: { workflowId } }
      case 'stop':
        return this.#stopSession(command, commandId)
    }
  }

  /** One that never began is stopped well enough. */
  async #stopSession(command: WorkflowCommand & { kind: 'stop' }, commandId: string): Promise<WorkflowEvent> {
    const { workflowId } = command
    await this.#options.commands.handle({ ...command.command, commandId }).catch((error: unknown) => {
      if (!isDuologError(error, 'SESSION_NOT_FOUND') && !isDuologError(error, 'SESSION_ENDED')) throw error
    })
    return { type: 'WorkflowSessionStopped', data: { workflowId } }
  }
}

/** @throws what the workspace does; that it took too long is its failure, too. */
async function timed<T>(
  what: keyof Workspace,
  timeoutMs: number,
  outer: AbortSignal,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  let isLate = false
  const limitMs = Math.min(timeoutMs, MAX_TIMEOUT_MS)
  const limits = { timeoutMs: limitMs, slowAfterMs: limitMs, graceMs: () => GRACE_MS, onSlow: () => {} }
  try {
    return await callWithin(limits, outer, async (signal) => {
      signal.addEventListener('abort', () => {
        isLate = !outer.aborted
      })
      return call(signal)
    })
  } catch (error) {
    if (isLate) throw new Error(`${what} of the workspace took longer than ${timeoutMs} ms`, { cause: error })
    throw error
  }
}

function checkedPath(workDir: unknown): string {
  if (typeof workDir === 'string' && workDir.length > 0) return workDir
  throw new Error(`prepare of the workspace answered ${describe(workDir)}, not a path`)
}

const REFUSALS = {
  prepare: 'WorkspaceRefused',
  deliver: 'DeliveryFailed',
  discard: 'DiscardFailed',
  session: 'WorkflowSessionRefused',
  stop: 'WorkflowSessionNotStopped',
} as const
