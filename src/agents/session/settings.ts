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
/** A session's rules as recorded with it. */
export type SessionSettings = z.infer<typeof settingsSchema>
/** A session's rules as a caller writes them: everything has a default. */
export type SessionSettingsInput = z.input<typeof settingsSchema>
