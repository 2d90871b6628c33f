import type { SessionAction } from './actions.ts'
import type { SessionEventData } from './schemas.ts'
import { isOpen, type SessionState } from './state.ts'

/*
 * P1: pure. A call is reserved only where it fits beside everything spent and reserved, so however many run at one time,
 * the limit holds (as far as executors keep to what was reserved for them). A call in doubt counts as its whole
 * reservation until somebody knows better.
 */

/** What the calls of a session have cost, and what is held for those under way. */
export interface Spending {
  readonly usd: number
  readonly reservedUsd: number
  readonly calls: number
  readonly tokens: number
}

export function spendingOf(state: SessionState): Spending {
  const spending = { microUsd: 0, reservedMicroUsd: 0, calls: 0, tokens: 0 }
  for (const call of state.calls.values()) {
    const neverBegun = call.status === 'cancelled' && call.epoch === 0
    if (call.role === 'gate' || neverBegun) continue
    const reserved = micro(call.reservedUsd ?? 0)
    const unknown = call.status === 'in-doubt' && !call.lateReport
    spending.calls += 1
    if (isOpen(call)) spending.reservedMicroUsd += reserved
    else spending.microUsd += unknown ? reserved : micro(call.costUsd)
    const { inputTokens = 0, outputTokens = 0 } = call.result?.usage ?? call.usage ?? {}
    spending.tokens += inputTokens + outputTokens
  }
  const { microUsd, reservedMicroUsd, calls, tokens } = spending
  return { usd: microUsd / 1e6, reservedUsd: reservedMicroUsd / 1e6, calls, tokens }
}

function micro(usd: number): number {
  return Math.round(usd * 1e6)
}

type PaidPurpose = 'plan' | 'work' | 'review'

/** Leaves out the actions whose call does not fit; when one had to go, and nobody was told, says so. */
export function withinBudget(state: SessionState, actions: readonly SessionAction[]): readonly SessionAction[] {
  if (state.settings.budget === undefined) return actions
  let spending = spendingOf(state)
  let exceeded: SessionEventData['BudgetExceeded'] | undefined
  const fitting = actions.filter((action) => {
    const purpose = purposeOf(action)
    if (purpose === undefined) return true
    const misfit = misfitOf(state, spending, purpose)
    exceeded ??= misfit
    if (misfit === undefined) spending = reserved(spending, reservationOf(state, purpose))
    return misfit === undefined
  })
  if (exceeded === undefined || state.budgetExceeded !== undefined) return fitting
  return [...fitting, { kind: 'exceed-budget', exceeded }]
}

export function reservationOf(state: SessionState, purpose: PaidPurpose): number {
  return state.settings.budget?.perCallUsd[purpose] ?? 0
}

function reserved(spending: Spending, usd: number): Spending {
  return { ...spending, reservedUsd: spending.reservedUsd + usd, calls: spending.calls + 1 }
}

function purposeOf(action: SessionAction): PaidPurpose | undefined {
  switch (action.kind) {
    case 'plan':
    case 'review':
      return action.kind
    case 'assign':
    case 'work-again':
    case 'revise':
      return 'work'
    default:
      return undefined
  }
}

function misfitOf(
  state: SessionState,
  { usd, reservedUsd, calls, tokens }: Spending,
  purpose: PaidPurpose,
): SessionEventData['BudgetExceeded'] | undefined {
  const { maxUsd = Infinity, maxCalls = Infinity, maxTokens = Infinity } = state.settings.budget ?? {}
  const needed = reservationOf(state, purpose)
  if (micro(usd + reservedUsd + needed) > micro(maxUsd)) {
    return { limit: 'usd', max: maxUsd, spent: usd, reserved: reservedUsd, needed, purpose }
  }
  if (calls + 1 > maxCalls) return { limit: 'calls', max: maxCalls, spent: calls, reserved: 0, needed: 1, purpose }
  if (tokens >= maxTokens) return { limit: 'tokens', max: maxTokens, spent: tokens, reserved: 0, needed: 1, purpose }
  return undefined
}
