/*
 * The port to whoever does the work: a script, a command line agent, a model behind an SDK.
 */

export type AgentRole = 'manager' | 'worker'
export type AgentPurpose = 'plan' | 'work' | 'review'

export interface AgentRequest {
  /** Unique within the session; the same call asked again after a doubt has another id. */
  readonly callId: string
  readonly sessionId: string
  readonly role: AgentRole
  readonly purpose: AgentPurpose
  readonly prompt: string
  readonly workItemId?: string
  /** From 1; a revision is a new attempt. For a plan: how often a plan has been asked for. */
  readonly attempt: number
  /** JSON Schema the answer should satisfy (plan and review). */
  readonly outputSchema?: object
  readonly model?: string
  readonly workDir: string
  readonly allowedTools?: readonly string[]
  readonly timeoutMs: number
  readonly maxBudgetUsd?: number
  /** The executor's own session to go on with, where it has one. */
  readonly resume?: string
}

export interface AgentUsage {
  readonly inputTokens?: number
  readonly outputTokens?: number
}

export interface AgentResult {
  readonly output: string
  /** The answer as data, where the executor has it apart from the text. */
  readonly structured?: unknown
  readonly usage?: AgentUsage
  readonly costUsd?: number
  readonly executorSessionId?: string
  /** Paths of files made or changed, relative to the work directory. */
  readonly artifacts?: readonly string[]
}

export interface AgentProgress {
  readonly message: string
}

export interface AgentContext {
  /** Fires on cancellation, time-out or loss of the claim: stop at once, with the whole process tree. */
  readonly signal: AbortSignal
  progress(event: AgentProgress): void
}

/**
 * Executes one call. A rejection is a failed call; reject with a `DuologError` whose `retry` is not 'never' when
 * another try makes sense.
 */
export interface AgentExecutor {
  execute(request: AgentRequest, context: AgentContext): Promise<AgentResult>
  close?(): Promise<void>
}
