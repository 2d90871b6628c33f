import type { Clock } from '../../core/clock.ts'
import { reach } from '../../core/reach.ts'
import type { EventStore } from '../../store/event-store.ts'
import { purposeOfCall } from '../session/budget.ts'
import { tallyOf } from '../session/call-tally.ts'
import type { SessionEventData } from '../session/schemas.ts'
import type { CallState, SessionState } from '../session/state.ts'
import { EMPTY_TALLY, type Tally } from '../session/tally.ts'
import type { SessionLog } from '../session-log.ts'
import { BudgetPool } from './budget-pool.ts'
import type { PoolReservation } from './pool-decider.ts'

/*
 * Where calls meet their pool. The order is: the session reserves and claims the call, then the pool holds its means, then
 * the executor starts, then the session has the outcome, then the pool is settled. So for everything a pool holds the
 * session's log says what became of it, and whoever died between two of these steps leaves nothing that could not be
 * settled by asking the session (`settleOrphans`).
 */

export class PoolDesk {
  readonly #store: EventStore
  readonly #sessions: SessionLog
  readonly #pools = new Map<string, BudgetPool>()
  readonly #clock: Clock

  constructor(store: EventStore, sessions: SessionLog, clock: Clock) {
    this.#store = store
    this.#sessions = sessions
    this.#clock = clock
  }

  /** Nothing when the session has no pool, or the pool now holds the means; else what the pool lacks. */
  async reserve(
    sessionId: string,
    state: SessionState,
    call: CallState,
  ): Promise<SessionEventData['BudgetExceeded'] | undefined> {
    const pool = this.#poolOf(state)
    if (pool === undefined) return undefined
    const { callId, epoch, owner = '' } = call
    const reservation = { key: keyOf(sessionId, callId, epoch), sessionId, callId, owner, held: heldFor(call) }
    if ((await pool.reserve(reservation)) === undefined) return undefined
    await settleOrphans(this.#sessions, pool)
    const misfit = await pool.reserve(reservation)
    return misfit && { ...misfit, purpose: purposeOfCall(call) }
  }

  async settle(sessionId: string, state: SessionState, call: CallState, epoch: number): Promise<void> {
    const pool = this.#poolOf(state)
    if (pool === undefined) return
    await pool.settle(keyOf(sessionId, call.callId, epoch), spentBy(call))
    reach('pool.settled')
  }

  #poolOf({ settings: { budget } }: SessionState): BudgetPool | undefined {
    if (budget?.pool === undefined) return undefined
    const pool = this.#pools.get(budget.pool) ?? new BudgetPool(this.#store, budget.pool, { clock: this.#clock })
    this.#pools.set(budget.pool, pool)
    return pool
  }
}

/** Settles what is held for calls that have ended, or whose owner is dead; says how many there were. */
export async function settleOrphans(sessions: SessionLog, pool: BudgetPool): Promise<number> {
  let settled = 0
  for (const reservation of (await pool.state()).open.values()) {
    const spent = await whatBecameOf(sessions, reservation)
    if (spent === undefined) continue
    await pool.settle(reservation.key, spent)
    reach('pool.orphan.settled')
    settled += 1
  }
  return settled
}

/** Undefined while the call may still be running. A dead owner's call is counted as all that was held for it. */
async function whatBecameOf(sessions: SessionLog, reservation: PoolReservation): Promise<Tally | undefined> {
  const { sessionId, callId, owner, key, held } = reservation
  const call = (await sessions.load(sessionId)).state.calls.get(callId)
  if (call === undefined || keyOf(sessionId, callId, call.epoch) !== key) return assumed(held)
  if (call.status !== 'claimed') return spentBy(call)
  return (await sessions.store.presence.liveness(owner)) === 'dead' ? assumed(held) : undefined
}

function keyOf(sessionId: string, callId: string, epoch: number): string {
  return `${sessionId}/${callId}/${epoch}`
}

function heldFor(call: CallState): Tally {
  return { ...tallyOf(call), calls: 1 }
}

function spentBy(call: CallState): Tally {
  return { ...tallyOf(call), reservedMicroUsd: 0, reservedTokens: 0, reservedTurns: 0 }
}

function assumed({ reservedMicroUsd: microUsd, reservedTokens: tokens, reservedTurns: turns }: Tally): Tally {
  return { ...EMPTY_TALLY, calls: 1, microUsd, tokens, turns }
}
