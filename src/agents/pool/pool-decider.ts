import * as z from 'zod'
import { defineCatalogue, defineEvent } from '../../core/catalogue.ts'
import type { Decider } from '../../core/decider.ts'
import { DuologError } from '../../core/errors.ts'
import { type Lacking, lacking } from '../session/budget.ts'
import { type BudgetLimits, limitsSchema } from '../session/budget-settings.ts'
import { EMPTY_TALLY, plus, type Tally } from '../session/tally.ts'

/*
 * A budget that many sessions share: a stream of its own. P1: pure.
 *
 * B1 What is spent and what is held never pass a limit together, as far as calls keep to what is held for them.
 * B2 A reservation has a key that names the session, the call and its claim: made twice it is one, settled twice it is one.
 * B3 Nothing is held for a call after the pool's time, whatever is left.
 */

const key = z.string().min(1).max(512)
const amounts = z.object({
  microUsd: z.int().nonnegative(),
  calls: z.int().nonnegative(),
  tokens: z.int().nonnegative(),
  turns: z.int().nonnegative(),
})

const poolEventData = {
  /** `startedAt`: what its wall clock counts from. */
  BudgetPoolCreated: z.object({ limits: limitsSchema, startedAt: z.iso.datetime().optional() }),
  /** `startedAt` where it had none: a pool of before 0.1.0. */
  BudgetPoolRaised: z.object({ limits: limitsSchema, startedAt: z.iso.datetime().optional() }),
  BudgetPoolReserved: z.object({ key, sessionId: z.string(), callId: z.string(), owner: z.string(), held: amounts }),
  BudgetPoolSettled: z.object({ key, spent: amounts }),
} as const

type PoolEventData = { [Name in keyof typeof poolEventData]: z.infer<(typeof poolEventData)[Name]> }
/** Everything that can happen to a budget pool. */
export type PoolEvent = {
  [Name in keyof PoolEventData]: { readonly type: Name; readonly data: PoolEventData[Name] }
}[keyof PoolEventData]

export const poolEvents = defineCatalogue(
  (Object.keys(poolEventData) as (keyof PoolEventData)[]).map((name) =>
    defineEvent({ name, data: poolEventData[name] }),
  ),
)

/** What one call of one session holds of a pool. */
export interface PoolReservation {
  readonly key: string
  readonly sessionId: string
  readonly callId: string
  /** Who claimed the call. */
  readonly owner: string
  readonly held: Tally
}

/** A pool folded from its events. */
export interface PoolState {
  readonly exists: boolean
  readonly limits: BudgetLimits
  /** ISO time. */
  readonly startedAt?: string
  /** Spent and held together. */
  readonly tally: Tally
  readonly open: ReadonlyMap<string, PoolReservation>
}

export type PoolCommand =
  | { readonly kind: 'create'; readonly limits: BudgetLimits; readonly nowMs: number }
  | { readonly kind: 'raise'; readonly limits: BudgetLimits; readonly nowMs: number }
  | ({ readonly kind: 'reserve'; readonly nowMs: number } & PoolReservation)
  | { readonly kind: 'settle'; readonly key: string; readonly spent: Tally }

function decide(command: PoolCommand, state: PoolState): readonly PoolEvent[] {
  if (command.kind === 'create') return create(command, state)
  if (!state.exists) {
    throw new DuologError(
      'INVALID_ARGUMENT',
      'There is no such budget pool. Make it: duolog budget pool create POOL --usd AMOUNT',
    )
  }
  switch (command.kind) {
    case 'raise':
      return raise(command, state)
    case 'reserve':
      return reserve(command, state)
    case 'settle':
      return state.open.has(command.key)
        ? [{ type: 'BudgetPoolSettled', data: { key: command.key, spent: spentAmounts(command.spent) } }]
        : []
  }
}

type Command<Kind extends PoolCommand['kind']> = Extract<PoolCommand, { kind: Kind }>

function create({ limits, nowMs }: Command<'create'>, state: PoolState): readonly PoolEvent[] {
  if (!state.exists) return [{ type: 'BudgetPoolCreated', data: { limits, startedAt: new Date(nowMs).toISOString() } }]
  if (isSame(limits, state.limits)) return []
  throw new DuologError(
    'INVALID_ARGUMENT',
    'This budget pool exists with other limits. Change them: duolog budget pool raise',
  )
}

function raise({ limits, nowMs }: Command<'raise'>, state: PoolState): readonly PoolEvent[] {
  if (isSame(limits, state.limits)) return []
  const started = state.startedAt === undefined ? { startedAt: new Date(nowMs).toISOString() } : {}
  return [{ type: 'BudgetPoolRaised', data: { limits, ...started } }]
}

function isSame(wanted: BudgetLimits, now: BudgetLimits): boolean {
  const names = Object.keys(wanted) as (keyof BudgetLimits)[]
  return names.every((name) => wanted[name] === undefined || wanted[name] === now[name])
}

/** Nothing where it does not fit: the caller sees that from the state (`poolMisfit`). */
function reserve({ nowMs, ...command }: Command<'reserve'>, state: PoolState): readonly PoolEvent[] {
  const { key, sessionId, callId, owner, held } = command
  if (state.open.has(key) || poolMisfit(state, held, nowMs) !== undefined) return []
  return [{ type: 'BudgetPoolReserved', data: { key, sessionId, callId, owner, held: heldAmounts(held) } }]
}

/** What a pool lacks for a call that would begin now: time, or means. */
export function poolMisfit({ limits, tally, startedAt }: PoolState, held: Tally, nowMs: number): Lacking | undefined {
  const { maxWallClockMs: max = Infinity } = limits
  const spent = startedAt === undefined ? 0 : Math.max(0, nowMs - Date.parse(startedAt))
  if (spent >= max) return { limit: 'wall-clock', max, spent, reserved: 0, needed: 0 }
  return lacking(limits, tally, held)
}

function heldAmounts(held: Tally): z.infer<typeof amounts> {
  const { reservedMicroUsd: microUsd, calls, reservedTokens: tokens, reservedTurns: turns } = held
  return { microUsd, calls, tokens, turns }
}

function spentAmounts({ microUsd, calls, tokens, turns }: Tally): z.infer<typeof amounts> {
  return { microUsd, calls, tokens, turns }
}

function evolve(state: PoolState, event: PoolEvent): PoolState {
  switch (event.type) {
    case 'BudgetPoolCreated':
      return started({ ...state, exists: true, limits: event.data.limits }, event.data)
    case 'BudgetPoolRaised':
      return started({ ...state, limits: { ...state.limits, ...event.data.limits } }, event.data)
    case 'BudgetPoolReserved':
      return reserved(state, event.data)
    case 'BudgetPoolSettled':
      return settled(state, event.data)
  }
}

function started(state: PoolState, { startedAt }: PoolEventData['BudgetPoolCreated']): PoolState {
  return startedAt === undefined ? state : { ...state, startedAt }
}

function reserved(state: PoolState, { held, ...reservation }: PoolEventData['BudgetPoolReserved']): PoolState {
  const { microUsd: reservedMicroUsd, calls, tokens: reservedTokens, turns: reservedTurns } = held
  const tally = { ...EMPTY_TALLY, calls, reservedMicroUsd, reservedTokens, reservedTurns }
  const open = new Map(state.open).set(reservation.key, { ...reservation, held: tally })
  return { ...state, tally: plus(state.tally, tally), open }
}

function settled(state: PoolState, { key, spent }: PoolEventData['BudgetPoolSettled']): PoolState {
  const open = new Map(state.open)
  const held = open.get(key)?.held ?? EMPTY_TALLY
  open.delete(key)
  return { ...state, tally: plus(plus(state.tally, held, -1), { ...EMPTY_TALLY, ...spent }), open }
}

/** A budget pool as a decider. */
export const poolDecider: Decider<PoolState, PoolCommand, PoolEvent> = {
  initialState: () => ({ exists: false, limits: {}, tally: EMPTY_TALLY, open: new Map() }),
  decide,
  evolve,
}
