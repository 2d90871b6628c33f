import { z } from 'zod'

/** A command that decides, by its exit code, whether a work item's result may be accepted. */
export const gateSchema = z.strictObject({
  gateId: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 letters, digits, or . _ -'),
  /** A failing mandatory gate rejects the attempt; an advisory one is only shown. */
  mandatory: z.boolean().default(true),
  /** Program and arguments; no shell reads them. Runs in the session's work directory. */
  command: z.array(z.string()).min(1),
  timeoutMs: z.int().positive().default(120_000),
})

/** Limits that hold before a call is made: its reservation must fit beside what is spent and what is reserved. */
export const budgetSchema = z.strictObject({
  maxUsd: z.number().positive().optional(),
  /** Calls of the Manager and the Worker together. */
  maxCalls: z.int().positive().optional(),
  /** Input and output tokens together; what one call will use is not known before, so the last one may pass it. */
  maxTokens: z.int().positive().optional(),
  /** What one call reserves, and the most an executor that keeps to `maxBudgetUsd` may spend on it. */
  perCallUsd: z
    .strictObject({
      plan: z.number().nonnegative().default(0.5),
      work: z.number().nonnegative().default(1),
      review: z.number().nonnegative().default(0.5),
    })
    .default({ plan: 0.5, work: 1, review: 0.5 }),
})

/** What a person has to approve first. The process may end meanwhile; the answer is an event. */
export const approvalsSchema = z.strictObject({
  /** The plan, before any of its items is begun. */
  plan: z.boolean().default(false),
  /** Work items before their first attempt: all, or those with these ids. */
  workItems: z.union([z.literal('all'), z.array(z.string())]).default([]),
  /** The session's result, when all items are accepted. */
  completion: z.boolean().default(false),
})

/** The rules of a session and their defaults. */
export const settingsSchema = z.strictObject({
  /** Work items between assignment and verdict at one time. */
  maxConcurrentTasks: z.int().min(1).max(100).default(2),
  /** How often a rejected work item goes back before it has failed. */
  maxRevisions: z.int().min(0).max(20).default(2),
  /** How often the Manager is asked for a plan before the session has failed. */
  maxPlanAttempts: z.int().min(1).max(10).default(3),
  /** How often one call is made when it fails for reasons that may pass (a crash of ours is not counted). */
  maxCallAttempts: z.int().min(1).max(10).default(2),
  /** What happens to a call nobody knows the outcome of: made again, gone on with, or a person is asked. */
  inDoubt: z.enum(['retry', 'resume', 'ask']).default('retry'),
  /** A review below this score rejects, even when it approves; 0 leaves the verdict to the reviewer. */
  minQualityScore: z.number().min(0).max(1).default(0),
  gates: z.array(gateSchema).default([]),
  /** Without one nothing is limited. */
  budget: budgetSchema.optional(),
  approvals: approvalsSchema.default({ plan: false, workItems: [], completion: false }),
  models: z.strictObject({ manager: z.string().optional(), worker: z.string().optional() }).default({}),
  allowedTools: z.array(z.string()).optional(),
  timeoutsMs: z
    .strictObject({
      plan: z.int().positive().default(180_000),
      work: z.int().positive().default(180_000),
      review: z.int().positive().default(120_000),
    })
    .default({ plan: 180_000, work: 180_000, review: 120_000 }),
  /** Who makes the calls: the process that runs the session, or services that read the task topics. */
  dispatch: z.enum(['local', 'topics']).default('local'),
})

/** A gate as recorded with its session. */
export type QualityGate = z.infer<typeof gateSchema>
/** A session's limits as recorded with it. */
export type Budget = z.infer<typeof budgetSchema>
/** A session's rules as recorded with it. */
export type SessionSettings = z.infer<typeof settingsSchema>
/** A session's rules as a caller writes them: everything has a default. */
export type SessionSettingsInput = z.input<typeof settingsSchema>
