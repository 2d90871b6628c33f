import type { KafkaAgentCoordinatorOptions } from '../agents/coordinator-options.ts'
import type { AgentExecutor } from '../agents/executor.ts'
import type { HostExecutor } from '../agents/executors/host-executor.ts'
import type { Names } from '../core/known-names.ts'
import type { EventStore } from '../store/event-store.ts'

type PassedOn =
  | 'gates'
  | 'gateFunctions'
  | 'prompts'
  | 'workDirChanges'
  | 'workRoot'
  | 'settings'
  | 'reapEveryMs'
  | 'logger'
  | 'clock'
  | 'onProgress'

/** What the host's class does not have: where the log is, who does the work, which session is gone on with. */
export interface CoordinatorExtras extends Pick<KafkaAgentCoordinatorOptions, PassedOn> {
  /** URL of the log. Default: the environment variable DUOLOG_LOG, else `file:./.duolog/log.db`. */
  readonly log?: string
  /** A log that is open already, instead of `log`. It is not closed. */
  readonly store?: EventStore
  /** Makes the calls: ours, or an object with `executeWithSDK`. Default: `claudeExecutor()`. */
  readonly executor?: AgentExecutor | HostExecutor
  /**
   * The session's id. Where the log has it, it is gone on with instead: a program that was killed is just started again.
   * Default: a new UUID.
   */
  readonly sessionId?: string
  /** Goes on with this session, whatever is asked for; it must exist. */
  readonly resume?: string
  /** Folder of the session files; `false`: none are written. Default `.claude-sessions` in the current directory. */
  readonly sessionFiles?: string | false
  /**
   * Posts coordination events to the host's dashboard: `true` is the one on this machine, http://localhost:4005/api/monitoring.
   * They hold plans and answers. Default: nothing is posted.
   */
  readonly monitoring?: string | true
}

export const EXTRAS: Names<CoordinatorExtras> = {
  log: true,
  store: true,
  executor: true,
  sessionId: true,
  resume: true,
  sessionFiles: true,
  monitoring: true,
  gates: true,
  gateFunctions: true,
  prompts: true,
  workDirChanges: true,
  workRoot: true,
  settings: true,
  reapEveryMs: true,
  logger: true,
  clock: true,
  onProgress: true,
}
