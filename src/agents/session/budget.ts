import type { SessionAction } from './actions.ts'
import { type Budget, type BudgetLimits, budgetSchema } from './budget-settings.ts'
import type { SessionEventData } from './schemas.ts'
import { type CallState, callById, type SessionState, type TimeScope } from './state.ts'
import { EMPTY_TALLY, micro, plus, type Tally } from './tally.ts'

/*
 * P1: pure. A call is reserved only where it fits beside everything spent and reserved, so however many run at one time,
 * the limits hold (as far as executors keep to what was reserved for them).
 */

/** What calls have cost, and what is held for those under way. */
export interface Spending {
  readonly usd: number
  readonly reservedUsd: number
  readonly calls: number
  readonly tokens: number
  readonly reservedTokens: number
  readonly turns: number
  readonly reservedTurns: number
}

export function spendingOf({ tallies }: Pick<SessionState, 'tallies'>): Spending {
  return shown(plus(tallies.manager, tallies.worker))
}

export function shown({ microUsd, reservedMicroUsd, ...counts }: Tally): Spending {
  return { usd: microUsd / 1e6, reservedUsd: reservedMicroUsd / 1e6, ...counts }
}

export type PaidPurpose = 'plan' | 'work' | 'review'
type Exceeded = SessionEventData['BudgetExceeded']

/** Leaves out the actions whose call does not fit; when one had to go, and nobody was told, says so. */
export function withinBudget(state: SessionState, actions: readonly SessionAction[]): readonly SessionAction[] {
  if (isClosed(state)) return actions.filter((action) => purposeOf(action) === undefined)
  if (state.settings.budget === undefined) return actions
  let tallies = state.tallies
  let exceeded: Exceeded | undefined
  const fitting = actions.filter((action) => {
    const purpose = purposeOf(action)
    if (purpose === undefined) return true
    const misfit = misfitInTime(state, purpose) ?? misfitOf(state, tallies, purpose)
    exceeded ??= misfit
    if (misfit === undefined) tallies = withReservation(tallies, state, purpose)
    return misfit === undefined
  })
  if (exceeded === undefined || state.budgetExceeded !== undefined) return fitting
  return [...fitting, { kind: 'exceed-budget', exceeded }]
}

/** No call at all, however cheap, until time or money for a call is given, or the pool is asked again. */
function isClosed({ budgetExceeded, timeIsUp }: SessionState): boolean {
  const { limit, scope } = budgetExceeded ?? {}
  return timeIsUp?.session === true || limit === 'call' || scope === 'pool'
}

/** What a call of this purpose reserves; nothing where nothing is limited. */
export function reservationFor(
  state: SessionState,
  purpose: PaidPurpose,
): { readonly reservedUsd?: number; readonly reservedTokens?: number; readonly reservedTurns?: number } {
  const budget = budgetOf(state)
  if (budget === undefined) return {}
  const limits = [budget, budget.roles?.manager, budget.roles?.worker]
  const limited = (name: keyof BudgetLimits) => budget.pool !== undefined || limits.some((each) => each?.[name])
  return {
    reservedUsd: budget.perCallUsd[purpose],
    ...(limited('maxTokens') && { reservedTokens: budget.perCallTokens[purpose] }),
    ...(limited('maxTurns') && { reservedTurns: budget.perCallTurns[purpose] }),
  }
}

/** Whether anybody holds the money together, or gave this call more: then an executor is told how much it may spend. */
export function limitsMoney({ settings: { budget, approvals }, calls }: SessionState, call: CallState): boolean {
  const { roles, pool, maxUsd } = budget ?? {}
  const limits = [maxUsd, roles?.manager?.maxUsd, roles?.worker?.maxUsd, approvals.costAboveUsd]
  const raised = callById({ calls }, call.predecessor)?.because === 'budget'
  return raised || pool !== undefined || limits.some((limit) => limit !== undefined)
}

const ESTIMATES = budgetSchema.parse({})

/** Where only an approval asks what calls cost, the default estimates are held. */
function budgetOf({ settings: { budget, approvals } }: SessionState): Budget | undefined {
  return budget ?? (approvals.costAboveUsd === undefined ? undefined : ESTIMATES)
}

/** What the session will have cost once what is under way has taken all that is held for it. */
export function likelyCost(state: SessionState): number {
  const { usd, reservedUsd } = spendingOf(state)
  return usd + reservedUsd
}

export function estimateFor(state: SessionState, purpose: PaidPurpose): number {
  return (budgetOf(state) ?? ESTIMATES).perCallUsd[purpose]
}

export function purposeOf(action: SessionAction): PaidPurpose | undefined {
  switch (action.kind) {
    case 'plan':
    case 'review':
      return action.kind
    case 'assign':
    case 'work-again':
    case 'revise':
      return 'work'
    case 'evaluate-gate':
      return action.paid ? 'review' : undefined
    default:
      return undefined
  }
}

/** A gate that a reviewer judges is paid like a review. */
export function purposeOfCall({ purpose }: CallState): PaidPurpose {
  return purpose === 'gate' ? 'review' : purpose
}

function roleFor(purpose: PaidPurpose): 'manager' | 'worker' {
  return purpose === 'work' ? 'worker' : 'manager'
}

function needOf({ perCallUsd, perCallTokens, perCallTurns }: Budget, purpose: PaidPurpose): Tally {
  return {
    ...EMPTY_TALLY,
    calls: 1,
    reservedMicroUsd: micro(perCallUsd[purpose]),
    reservedTokens: perCallTokens[purpose],
    reservedTurns: perCallTurns[purpose],
  }
}

function withReservation(
  tallies: SessionState['tallies'],
  { settings }: SessionState,
  purpose: PaidPurpose,
): SessionState['tallies'] {
  const role = roleFor(purpose)
  return { ...tallies, [role]: plus(tallies[role], needOf(settings.budget!, purpose)) }
}

/** What a session whose time is up, or that of one role in it, waits for. */
export function outOfTime({ settings: { budget } }: SessionState, scope: TimeScope, spentMs?: number): Exceeded {
  const max = timeOf(budget, scope) ?? 0
  const whose = scope === 'session' ? {} : { scope }
  return { limit: 'wall-clock', ...whose, max, spent: spentMs ?? max, reserved: 0, needed: 0 }
}

export function timeOf(budget: Budget | undefined, scope: TimeScope): number | undefined {
  return (scope === 'session' ? budget : budget?.roles?.[scope])?.maxWallClockMs
}

/** Of a role whose time is up; where it is the session's, no action comes so far. */
function misfitInTime(state: SessionState, purpose: PaidPurpose): Exceeded | undefined {
  const role = roleFor(purpose)
  return state.timeIsUp?.[role] ? { ...outOfTime(state, role), purpose } : undefined
}

function misfitOf(
  { settings }: SessionState,
  tallies: SessionState['tallies'],
  purpose: PaidPurpose,
): Exceeded | undefined {
  const budget = settings.budget!
  const role = roleFor(purpose)
  const need = needOf(budget, purpose)
  const overall = lacking(budget, plus(tallies.manager, tallies.worker), need)
  if (overall !== undefined) return { ...overall, purpose }
  const ofRole = lacking(budget.roles?.[role] ?? {}, tallies[role], need)
  return ofRole === undefined ? undefined : { ...ofRole, scope: role, purpose }
}

/** Which limit, and by what it would be passed. */
export type Lacking = Omit<Exceeded, 'purpose' | 'scope'>

/** Which limit a need would pass, and by what. Pools ask the same. */
export function lacking(
  { maxUsd = Infinity, maxCalls = Infinity, maxTokens = Infinity, maxTurns = Infinity }: BudgetLimits,
  tally: Tally,
  need: Tally,
): Lacking | undefined {
  const { usd: spent, reservedUsd: reserved, calls, tokens, reservedTokens, turns, reservedTurns } = shown(tally)
  if (tally.microUsd + tally.reservedMicroUsd + need.reservedMicroUsd > micro(maxUsd)) {
    return { limit: 'usd', max: maxUsd, spent, reserved, needed: need.reservedMicroUsd / 1e6 }
  }
  if (calls + need.calls > maxCalls) return { limit: 'calls', max: maxCalls, spent: calls, reserved: 0, needed: 1 }
  if (passes(tokens, reservedTokens, need.reservedTokens, maxTokens)) {
    return { limit: 'tokens', max: maxTokens, spent: tokens, reserved: reservedTokens, needed: need.reservedTokens }
  }
  if (passes(turns, reservedTurns, need.reservedTurns, maxTurns)) {
    return { limit: 'turns', max: maxTurns, spent: turns, reserved: reservedTurns, needed: need.reservedTurns }
  }
  return undefined
}

/** With an estimate of nothing, a limit that is reached is still a limit. */
function passes(spent: number, reserved: number, needed: number, max: number): boolean {
  return spent + reserved >= max || spent + reserved + needed > max
}
