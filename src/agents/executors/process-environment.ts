import type { AgentRequest } from '../executor.ts'

type Environment = Record<string, string | undefined>

/** What a call is about, for the command that serves it. What a call does not have is not set. */
export function requestEnvironment(request: AgentRequest): Environment {
  return {
    DUOLOG_CALL_ID: request.callId,
    DUOLOG_SESSION_ID: request.sessionId,
    DUOLOG_ROLE: request.role,
    DUOLOG_PURPOSE: request.purpose,
    DUOLOG_ATTEMPT: String(request.attempt),
    DUOLOG_TRY: String(request.try ?? 1),
    DUOLOG_WORK_ITEM_ID: request.workItemId,
    DUOLOG_GATE_ID: request.gateId,
    DUOLOG_WORK_DIR: request.workDir,
    DUOLOG_MODEL: request.model,
    DUOLOG_OUTPUT_SCHEMA: request.outputSchema && JSON.stringify(request.outputSchema),
    DUOLOG_ALLOWED_TOOLS: request.allowedTools?.join(','),
    DUOLOG_TIMEOUT_MS: String(request.timeoutMs),
    DUOLOG_MAX_BUDGET_USD: request.maxBudgetUsd?.toString(),
    DUOLOG_RESUME: request.resume,
  }
}

const ABOUT_A_CALL =
  /^DUOLOG_(CALL_ID|SESSION_ID|ROLE|PURPOSE|ATTEMPT|TRY|WORK_ITEM_ID|WORK_DIR|MODEL|OUTPUT_SCHEMA|ALLOWED_TOOLS|TIMEOUT_MS|MAX_BUDGET_USD|RESUME|GATE_ID|RUN)$/

/**
 * The environment of this process without what would be about another call (we may run inside an agent), and without
 * NODE_TEST_CONTEXT: a `node --test` started below another one would skip every test and succeed.
 */
export function inheritedEnvironment(env: Environment = process.env): Environment {
  const kept = Object.entries(env).filter(([name]) => name !== 'NODE_TEST_CONTEXT' && !ABOUT_A_CALL.test(name))
  return Object.fromEntries(kept)
}
