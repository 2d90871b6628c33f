/* Claude's last word on a call, as a result or as the error that says what to do. */
import { DuologError, type RetryAdvice } from '../../core/errors.ts'
import {
  type AgentRequest,
  type AgentResult,
  ExecutorFailedError,
  type FailedBecause,
  type ModelUsage,
  type PaidFor,
  type ToolCall,
} from '../executor.ts'
import type { ClaudeErrorKind, ClaudeMessages, ClaudeResult } from './claude-messages.ts'

const SOON = { afterMs: 1_000 }
const WHEN_OVERLOADED = { afterMs: 30_000 }
/** When Claude does not say when a limit is lifted. */
const WHEN_LIMITED = { afterMs: 60_000 }

/** @throws EXECUTOR_FAILED with what it cost · EXECUTOR_INVALID when a person has to set something right */
export function resultOf(request: AgentRequest, messages: ClaudeMessages, nowMs: number): AgentResult {
  const result = messages.result!
  const paidFor = paidForOf(result, messages.toolCalls)
  if (result.subtype !== 'success') throw refusedBy(request, result, paidFor)
  if (result.is_error) throw apiError(messages, paidFor, nowMs)
  const { structured_output: structured } = result
  const { artifacts } = messages
  return {
    output: result.result === '' && structured !== undefined ? JSON.stringify(structured, null, 2) : result.result,
    ...(structured === undefined ? {} : { structured }),
    ...(artifacts.length === 0 ? {} : { artifacts }),
    ...paidFor,
  }
}

/** Of this call alone: the totals of a resumed session go on from where it was left. */
function paidForOf(result: ClaudeResult, toolCalls: readonly ToolCall[]): PaidFor {
  const models = result.model_usage_since_last_result ?? result.modelUsage
  const used = Object.values(models)
  const sum = (of: (model: (typeof used)[number]) => number) => used.reduce((total, model) => total + of(model), 0)
  return {
    costUsd: sum(({ costUSD }) => costUSD),
    usage: {
      inputTokens: sum(inputTokensOf),
      outputTokens: sum(({ outputTokens }) => outputTokens),
      turns: result.num_turns,
      ...(used.length === 0 ? {} : { models: mapModels(models) }),
    },
    executorSessionId: result.session_id,
    ...(toolCalls.length === 0 ? {} : { toolCalls }),
  }
}

type ClaudeUsage = ClaudeResult['modelUsage']

function mapModels(models: ClaudeUsage): Record<string, ModelUsage> {
  return Object.fromEntries(Object.entries(models).map(([name, used]) => [name, usageOf(used)]))
}

function usageOf(used: ClaudeUsage[string]): ModelUsage {
  return {
    inputTokens: inputTokensOf(used),
    outputTokens: used.outputTokens,
    cacheReadTokens: used.cacheReadInputTokens,
    costUsd: used.costUSD,
  }
}

function inputTokensOf(used: ClaudeUsage[string]): number {
  return used.inputTokens + used.cacheReadInputTokens + used.cacheCreationInputTokens
}

function refusedBy(
  request: AgentRequest,
  result: Exclude<ClaudeResult, { subtype: 'success' }>,
  paidFor: PaidFor,
): DuologError {
  const said = (result.errors ?? []).join('; ')
  switch (result.subtype) {
    case 'error_max_budget_usd':
      return failed(`Claude stopped at its budget: ${said}. Raise the budget of the call`, 'never', paidFor, 'budget')
    case 'error_max_turns':
      return failed(`Claude stopped after ${result.num_turns} turns: raise maxTurns`, 'never', paidFor)
    case 'error_max_structured_output_retries':
      return failed(`Claude gave no answer that fits the schema of a ${request.purpose}: ${said}`, SOON, paidFor)
    case 'error_during_execution':
      if (result.startup_failure_reason === undefined) return failed(`Claude failed: ${said}`, SOON, paidFor)
      return new DuologError('EXECUTOR_INVALID', `Claude could not start (${result.startup_failure_reason}): ${said}`)
    default:
      return failed(`Claude ended with "${String((result as ClaudeResult).subtype)}": ${said}`, SOON, paidFor)
  }
}

function apiError(messages: ClaudeMessages, paidFor: PaidFor, nowMs: number): DuologError {
  const { result } = messages
  const said = messages.errorText || (result?.subtype === 'success' ? result.result : '')
  return errorOf(kindOf(messages), said, { paidFor, retry: limitRetry(messages, nowMs) })
}

/** The status says more than "unknown", and tells an overloaded API from a broken one. */
function kindOf({ error, result }: ClaudeMessages): ClaudeErrorKind {
  const status = result?.subtype === 'success' ? result.api_error_status : undefined
  if (status === 529 || result?.api_error_type === 'overloaded_error') return 'overloaded'
  if (error !== undefined && error !== 'unknown') return error
  if (status === 429) return 'rate_limit'
  if (status === 401 || status === 403) return 'authentication_failed'
  return (status ?? 0) >= 500 ? 'server_error' : 'unknown'
}

const LEGACY_RESET = /limit reached\|(\d{10})\b/

function limitRetry({ resetsAtMs, errorText }: ClaudeMessages, nowMs: number): RetryAdvice {
  const legacy = LEGACY_RESET.exec(errorText)?.[1]
  const at = resetsAtMs ?? (legacy === undefined ? undefined : Number(legacy) * 1_000)
  return at === undefined ? WHEN_LIMITED : { afterMs: Math.max(1_000, at - nowMs) }
}

const MENDED_BY_A_PERSON: Partial<Record<ClaudeErrorKind, string>> = {
  authentication_failed:
    'Set ANTHROPIC_API_KEY to a valid key, or log in once by starting Claude Code ("claude", then /login)',
  oauth_org_not_allowed: 'Log in with an account of an organization that may use Claude Code',
  account_on_hold: 'The account is on hold: see to it at the provider',
  verification_required: 'The account asks for a verification: log in once by hand',
  billing_error: 'Buy credits or change the plan of the account',
  cloud_credential_error: 'Renew the credentials of the cloud provider',
  model_not_found: 'Name a model this account may use',
}

export function errorOf(
  kind: ClaudeErrorKind,
  said: string,
  options: { readonly paidFor: PaidFor; readonly retry: RetryAdvice },
): DuologError {
  const advice = MENDED_BY_A_PERSON[kind]
  const text = `Claude's API refused (${kind})${said === '' ? '' : `: ${said.replace(/\.$/, '')}`}`
  const because = kind === 'rate_limit' ? ('rate-limit' as const) : undefined
  if (advice === undefined) return failed(text, retryOf(kind, options.retry), options.paidFor, because)
  const message = `${text}. ${advice}.`
  const isPaid = (options.paidFor.costUsd ?? 0) > 0
  return isPaid
    ? new ExecutorFailedError(message, { paidFor: options.paidFor })
    : new DuologError('EXECUTOR_INVALID', message)
}

function retryOf(kind: ClaudeErrorKind, whenLimited: RetryAdvice): RetryAdvice {
  if (kind === 'rate_limit') return whenLimited
  if (kind === 'overloaded' || kind === 'server_error') return WHEN_OVERLOADED
  return kind === 'invalid_request' ? 'never' : SOON
}

export function failed(
  message: string,
  retry: RetryAdvice,
  paidFor: PaidFor,
  because?: FailedBecause,
): ExecutorFailedError {
  return new ExecutorFailedError(`${message}.`, { retry, paidFor, because })
}
