import * as z from 'zod'

const limits = {
  /** US dollars, as executors report them. */
  maxUsd: z.number().positive().optional(),
  /** Calls of the Manager and the Worker. */
  maxCalls: z.int().positive().optional(),
  /** Input and output tokens together. */
  maxTokens: z.int().positive().optional(),
  /** Rounds of the model within calls, as executors report them; a call that reports none counts as one. */
  maxTurns: z.int().positive().optional(),
  /**
   * Milliseconds from the session's start, of a pool from its creation, time spent waiting included: no call begins after
   * it, what runs is finished.
   */
  maxWallClockMs: z.int().positive().optional(),
}

/** Limits of one scope: a session, a role of it, or a pool. */
export const limitsSchema = z.strictObject(limits)

const usd = z.number().nonnegative().optional()
/** New values of `perCallUsd`, for some purposes or all. */
export const perCallUsdSchema = z.strictObject({ plan: usd, work: usd, review: usd })

/** New limits for a session, or for a role of it. */
export const raisedLimitsSchema = limitsSchema.extend({
  /** What one call reserves, and may spend, from now on. */
  perCallUsd: perCallUsdSchema.optional(),
  /** Whose limits; without one the session's. */
  role: z.enum(['manager', 'worker']).optional(),
})

const estimates = (plan: number, work: number, review: number, amount: z.ZodNumber) =>
  z
    .strictObject({ plan: amount.default(plan), work: amount.default(work), review: amount.default(review) })
    .default({ plan, work, review })

/**
 * Limits that hold before a call is made: what it reserves must fit beside what is spent and what is reserved, so no
 * number of calls side by side overruns them. A call that uses more than it reserved passes them by that.
 */
export const budgetSchema = z.strictObject({
  ...limits,
  /** Limits of one role, beside those of the session. */
  roles: z.strictObject({ manager: limitsSchema.optional(), worker: limitsSchema.optional() }).optional(),
  /** A budget pool that each call reserves from, too; see `openBudgetPool`. */
  pool: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 letters, digits, or . _ -')
    .optional(),
  /** What one call reserves, and the most an executor that keeps to `maxBudgetUsd` may spend on it. */
  perCallUsd: estimates(0.5, 1, 0.5, z.number().nonnegative()),
  /** What one call reserves of `maxTokens`: an estimate. */
  perCallTokens: estimates(20_000, 50_000, 20_000, z.number().int().nonnegative()),
  /** What one call reserves of `maxTurns`: an estimate. */
  perCallTurns: estimates(10, 30, 10, z.number().int().nonnegative()),
})

/** A session's limits as recorded with it. */
export type Budget = z.infer<typeof budgetSchema>
/** Limits of one scope. */
export type BudgetLimits = z.infer<typeof limitsSchema>
