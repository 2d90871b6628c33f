import { DuologError, isDuologError } from '../../core/errors.ts'
import {
  type CircuitBreaker,
  type CircuitBreakerOptions,
  createCircuitBreaker,
} from '../../processing/circuit-breaker.ts'
import { checkRetryPolicy, isRetryable, type RetryPolicy, tryAgain } from '../../processing/retry-policy.ts'
import { sumOfUsage } from '../call-facts.ts'
import { anExecutor, anObject, checkArgument, checkOptions, optional, type Shape } from '../check-options.ts'
import {
  type AgentContext,
  type AgentExecutor,
  type AgentRequest,
  type AgentResult,
  becauseOf,
  CallStoppedError,
  ExecutorFailedError,
  type PaidFor,
  whatItCost,
} from '../executor.ts'

/*
 * An executor that tries again by itself. To the session it stays one call.
 *
 * P7 One reservation, one outcome: what the tries that failed had cost is in the outcome of the call, whichever it is.
 */

/** What {@link resilientExecutor} takes. */
export interface ResilientOptions {
  /**
   * Tries within one call, and within its `timeoutMs`. An error that asks for a longer pause than `longestPauseMs` is left to
   * the session, which parks the call. Default: one try.
   */
  readonly retry?: RetryPolicy
  /** While it is open calls fail at once, worth another try when it closes; share one among executors of one service. */
  readonly breaker?: CircuitBreakerOptions | CircuitBreaker
}

const OPTIONS: Shape<ResilientOptions> = { retry: optional(anObject), breaker: optional(anObject) }

function checkResilience(executor: AgentExecutor, options: ResilientOptions): void {
  checkArgument('executor', executor, anExecutor)
  checkOptions('options of resilientExecutor', options, OPTIONS)
  if (options.retry !== undefined) checkRetryPolicy(options.retry)
}

const DEFAULT_LONGEST_PAUSE_MS = 30_000

/** Puts a retry policy and a circuit breaker around an executor. The coordinator's guard goes around it as around any. */
export function resilientExecutor(executor: AgentExecutor, options: ResilientOptions): AgentExecutor {
  checkResilience(executor, options)
  const { retry, breaker } = options
  const policy = policyOf(retry ?? { maxAttempts: 1 })
  const circuit = circuitOf(breaker, policy)
  return {
    execute: (request, context) => execute({ executor, policy, circuit }, request, context),
    close: async () => executor.close?.(),
  }
}

interface Parts {
  readonly executor: AgentExecutor
  readonly policy: RetryPolicy
  readonly circuit: CircuitBreaker | undefined
}

async function execute({ executor, policy, circuit }: Parts, request: AgentRequest, context: AgentContext) {
  const { signal } = context
  const failures: unknown[] = []
  const call = async () => executor.execute(request, context)
  const attempt = async (): Promise<AgentResult> => {
    refuseWhileOpen(circuit)
    try {
      return await (circuit === undefined ? call() : circuit.run(call, signal))
    } catch (error) {
      failures.push(error)
      throw error
    }
  }
  const onFailure = (error: unknown) => context.progress({ message: `trying again: ${String(error)}` })
  try {
    const result = await tryAgain(policy, attempt, { signal, onFailure })
    return failures.length === 0 ? result : { ...result, ...sumOf(costOf(failures), result) }
  } catch (error) {
    const saysItAll = failures.length === 0 || (failures.length === 1 && failures[0] === error)
    throw saysItAll ? error : withCost(error, costOf(failures))
  }
}

function policyOf(policy: RetryPolicy): RetryPolicy {
  const { longestPauseMs = DEFAULT_LONGEST_PAUSE_MS } = policy
  const canWait = (error: unknown) => !isDuologError(error, 'ABORTED') && afterMsOf(error) <= longestPauseMs
  const { retryableCodes: _, ...rest } = policy
  return { ...rest, isRetryable: (error) => canWait(error) && isRetryable(policy, error) }
}

function circuitOf(breaker: ResilientOptions['breaker'], policy: RetryPolicy): CircuitBreaker | undefined {
  if (breaker === undefined || 'run' in breaker) return breaker
  return createCircuitBreaker({ counts: (error) => isRetryable(policy, error), ...breaker })
}

/** A call has a time limit: it does not wait for a service that is away, the session does. */
function refuseWhileOpen(circuit: CircuitBreaker | undefined): void {
  const { probeAt, lastError } = circuit?.status ?? {}
  const afterMs = probeAt === undefined ? 0 : Date.parse(probeAt) - Date.now()
  if (afterMs <= 0) return
  throw new ExecutorFailedError(`The circuit breaker is open: ${lastError}. It tries again at ${probeAt}.`, {
    retry: { afterMs },
    paidFor: { costUsd: 0 },
  })
}

function afterMsOf(error: unknown): number {
  return isDuologError(error) && typeof error.retry === 'object' ? error.retry.afterMs : 0
}

/** The last error, with what all tries had cost. */
function withCost(error: unknown, paidFor: PaidFor): unknown {
  const { message, cause = error } = error instanceof Error ? error : new DuologError('EXECUTOR_FAILED', String(error))
  if (isDuologError(error, 'ABORTED')) return new CallStoppedError(message, { cause, paidFor })
  if (isDuologError(error) && error.code !== 'EXECUTOR_FAILED' && isFree(paidFor)) return error
  const retry = isDuologError(error) ? error.retry : { afterMs: 1_000 }
  return new ExecutorFailedError(message, { retry, cause, paidFor, because: becauseOf(error) })
}

function costOf(failures: readonly unknown[]): PaidFor {
  return failures.map(whatItCost).reduce(sumOf)
}

/** Of a try that does not say what it cost, or used, the sum says that it is missing. */
function sumOf(a: PaidFor, b: PaidFor): PaidFor {
  const toolCalls = [...(a.toolCalls ?? []), ...(b.toolCalls ?? [])]
  const executorSessionId = b.executorSessionId ?? a.executorSessionId
  return {
    ...sumOfCost(a, b),
    ...sumOfUsages(a, b),
    ...(executorSessionId !== undefined && { executorSessionId }),
    ...(toolCalls.length > 0 && { toolCalls }),
  }
}

function sumOfCost(a: PaidFor, b: PaidFor): Pick<PaidFor, 'costUsd' | 'costUnknown'> {
  if (a.costUsd === undefined && b.costUsd === undefined) return {}
  const isUnknown = [a, b].some(({ costUsd, costUnknown }) => costUsd === undefined || costUnknown)
  return { costUsd: (a.costUsd ?? 0) + (b.costUsd ?? 0), ...(isUnknown && { costUnknown: true }) }
}

function sumOfUsages(a: PaidFor, b: PaidFor): Pick<PaidFor, 'usage'> {
  const usage = sumOfUsage(a.usage, b.usage)
  if (usage === undefined) return {}
  const isMissing = [a, b].some((each) => each.usage === undefined && !isFree(each))
  return { usage: { ...usage, ...(isMissing && { incomplete: true }) } }
}

function isFree({ costUsd, costUnknown, usage }: PaidFor): boolean {
  return costUsd === 0 && !costUnknown && usage === undefined
}
