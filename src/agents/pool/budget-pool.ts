import type { Clock } from '../../core/clock.ts'
import { DuologError } from '../../core/errors.ts'
import { checkStore } from '../../store/check-arguments.ts'
import { type CommandHandler, createCommandHandler } from '../../store/command-handler.ts'
import type { EventStore } from '../../store/event-store.ts'
import { systemClock } from '../../store/system.ts'
import { withCatalogue } from '../../store/with-catalogue.ts'
import { checked as asLimits } from '../explain-issues.ts'
import { type Spending, shown } from '../session/budget.ts'
import { type BudgetLimits, limitsSchema } from '../session/budget-settings.ts'
import type { SessionEventData } from '../session/schemas.ts'
import {
  type PoolCommand,
  type PoolEvent,
  type PoolReservation,
  type PoolState,
  poolDecider,
  poolEvents,
  poolMisfit,
} from './pool-decider.ts'

/** A pool as it is now. Plain JSON. */
export interface BudgetPoolView extends Spending {
  readonly poolId: string
  readonly limits: BudgetLimits
  /** What `maxWallClockMs` counts from. ISO time. */
  readonly startedAt?: string
  /** What is held for calls under way, or for calls whose owner died and that nobody has looked after yet. */
  readonly held: readonly { readonly sessionId: string; readonly callId: string; readonly owner: string }[]
}

/** Why a call does not fit. */
export type PoolMisfit = Omit<SessionEventData['BudgetExceeded'], 'purpose'>

const PREFIX = 'budget-pool-'
/** Many sessions reserve from one stream. */
const MAX_ATTEMPTS = 200

/**
 * A budget shared by many sessions: `settings.budget.pool` names it. Each call is held in it before its executor starts
 * and settled after, whatever process makes it; what does not fit lets the session wait.
 */
export class BudgetPool {
  readonly poolId: string
  readonly #handler: CommandHandler<PoolState, PoolCommand, PoolEvent>
  readonly #clock: Clock

  constructor(store: EventStore, poolId: string, { clock = systemClock }: { readonly clock?: Clock } = {}) {
    checkStore(store)
    if (!/^[A-Za-z0-9._-]{1,64}$/.test(poolId)) {
      throw new DuologError('INVALID_ARGUMENT', `pool: "${poolId}" must be 1 to 64 letters, digits, or . _ -`)
    }
    this.poolId = poolId
    this.#clock = clock
    const pools = withCatalogue(store, poolEvents) as EventStore<PoolEvent>
    this.#handler = createCommandHandler({ store: pools, decider: poolDecider, maxAttempts: MAX_ATTEMPTS })
  }

  /** @throws INVALID_ARGUMENT when it exists with other limits, or a limit is none */
  async create(limits: BudgetLimits): Promise<BudgetPoolView> {
    return this.#limited('create', limits)
  }

  /** New limits, whole ones, not what is added. @throws INVALID_ARGUMENT when there is no such pool */
  async raise(limits: BudgetLimits): Promise<BudgetPoolView> {
    return this.#limited('raise', limits)
  }

  /** @throws INVALID_ARGUMENT when there is no such pool */
  async show(): Promise<BudgetPoolView> {
    return this.#view(await this.state())
  }

  async state(): Promise<PoolState> {
    const { state } = await this.#handler.load(this.#stream)
    if (state.exists) return state
    throw new DuologError(
      'INVALID_ARGUMENT',
      `There is no budget pool "${this.poolId}". Make it: duolog budget pool create ${this.poolId} --usd AMOUNT`,
    )
  }

  /** Holds the means for a call, once however often it is asked; says what lacks when they are not there. */
  async reserve(reservation: PoolReservation): Promise<PoolMisfit | undefined> {
    const nowMs = this.#clock.now()
    const { state, events } = await this.#handle({ kind: 'reserve', nowMs, ...reservation })
    if (events.length > 0 || state.open.has(reservation.key)) return undefined
    const misfit = poolMisfit(state, reservation.held, nowMs)
    return misfit === undefined ? undefined : { ...misfit, scope: 'pool' }
  }

  async settle(key: string, spent: Parameters<typeof shown>[0]): Promise<void> {
    await this.#handle({ kind: 'settle', key, spent })
  }

  get #stream(): string {
    return `${PREFIX}${this.poolId}`
  }

  async #limited(kind: 'create' | 'raise', limits: BudgetLimits): Promise<BudgetPoolView> {
    const command = { kind, limits: checked(limits), nowMs: this.#clock.now() }
    return this.#view((await this.#handle(command)).state)
  }

  #handle(command: PoolCommand) {
    return this.#handler.handle(this.#stream, command)
  }

  #view({ limits, startedAt, tally, open }: PoolState): BudgetPoolView {
    const held = [...open.values()].map(({ sessionId, callId, owner }) => ({ sessionId, callId, owner }))
    const since = startedAt === undefined ? {} : { startedAt }
    return { poolId: this.poolId, limits, ...since, ...shown(tally), held }
  }
}

function checked(limits: BudgetLimits): BudgetLimits {
  const parsed = asLimits<BudgetLimits>('limits', limitsSchema, limits)
  if (Object.values(parsed).some((limit) => limit !== undefined)) return parsed
  throw new DuologError(
    'INVALID_ARGUMENT',
    'limits: give at least one of maxUsd, maxCalls, maxTokens, maxTurns, maxWallClockMs',
  )
}
