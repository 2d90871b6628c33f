import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/logger.ts'
import type { EventStore } from '../store/event-store.ts'
import type { AgentExecutor, AgentResult, AgentRole } from './executor.ts'
import type { ForkChanges } from './fork-session.ts'
import type { GateFunction, GateRunner } from './gates/gate-runner.ts'
import type { OwnPrompts } from './prompts/session-prompts.ts'
import type { SessionSettingsInput } from './session/settings.ts'

/** What a coordinator works with. */
export interface KafkaAgentCoordinatorOptions {
  /** Any backing; the coordinator does not close it. */
  readonly store: EventStore
  /** Serves both roles, unless `executors` says otherwise. */
  readonly executor?: AgentExecutor
  /** By role. A role without one is left to other processes (`dispatch: 'topics'`). */
  readonly executors?: Partial<Record<AgentRole, AgentExecutor>>
  /** How gates are run. Default: commands in the work directory, and `gateFunctions`; `false`: not by this process. */
  readonly gates?: GateRunner | false
  /** Gates of your own, by the name a gate's `function` calls them. */
  readonly gateFunctions?: Readonly<Record<string, GateFunction>>
  /** Wordings of your own; their versions are recorded with the sessions started here, and with each call. */
  readonly prompts?: OwnPrompts
  /** Whether what a Worker's call did to the work directory is looked at, for the reviewer, and recorded. Default true. */
  readonly workDirChanges?: boolean
  /** Work directories of sessions started, forked, resumed or worked on by this process must lie in this folder. Default: anywhere. */
  readonly workRoot?: string
  /** Defaults for the sessions started here. */
  readonly settings?: SessionSettingsInput
  /** Calls at one time per role, for sessions whose tasks travel on topics. Default 2. */
  readonly concurrency?: number
  /** Name of this process in claims. Default: generated; must be new at every start of a process. */
  readonly owner?: string
  /** How often the owners of running calls are looked after, milliseconds. Default 500. */
  readonly reapEveryMs?: number
  /** Default: the store's own, which says warnings and errors on stderr. */
  readonly logger?: Logger
  /** Default: the system's. A virtual one moves time limits in tests. */
  readonly clock?: Clock
  /** Hears the signs of life of the calls this process runs. Not recorded. */
  readonly onProgress?: (progress: { sessionId: string; callId: string; message: string }) => void
}

/** How a session is started. */
export interface RunOptions {
  /** Default: a new UUID v7. */
  readonly sessionId?: string
  /** Where the Worker works. Default: the current directory. */
  readonly workDir?: string
  /** Beside the coordinator's own defaults; what stands here wins. */
  readonly settings?: SessionSettingsInput
  /** Pauses the session when it fires: what runs is stopped and recorded, `resume` goes on. */
  readonly signal?: AbortSignal
}

/** How a session is gone on with. */
export interface ResumeOptions extends Pick<RunOptions, 'signal'> {
  /** Hears why it has to wait, e.g. for a dead owner's lease to run out. */
  readonly onWait?: (reason: string) => void
}

/** How a session is held. */
export interface PauseOptions {
  /** Running calls are stopped and recorded as cancelled. Default: they finish. */
  readonly stopCalls?: boolean
}

/** Where a fork begins and what it does differently. */
export interface ForkOptions extends ForkChanges {
  /**
   * Right after this event of the other session, and what followed from it in the same step. Default: its end; of a session
   * that has ended only with something left to do there, such as a new plan.
   */
  readonly at?: number
  /** Of the new session. Default: a new UUID v7. */
  readonly sessionId?: string
}

/** A task for an agent, sent by a caller instead of a plan. */
export interface SentTask {
  readonly sessionId: string
  readonly workItemId: string
  readonly title: string
  readonly description: string
  readonly acceptanceCriteria: readonly string[]
  /** 1 is done first, 5 last. Default 3. */
  readonly priority?: number
  /** Ids of work items that have to be accepted first. */
  readonly dependencies?: readonly string[]
  readonly workDir?: string
}

/** What an agent that works outside this package answers. */
export interface AgentResponse {
  readonly sessionId: string
  readonly callId: string
  /** From the AgentCallClaimed event. */
  readonly epoch: number
  /** As `claimCall` was given it. */
  readonly owner: string
  /** What it came to; this or `error`. */
  readonly result?: AgentResult
  /** Why it came to nothing; another try makes sense where `retryable`. Default: it does not. */
  readonly error?: { readonly code: string; readonly message: string; readonly retryable?: boolean }
  /** Milliseconds the agent took. */
  readonly durationMs?: number
}
