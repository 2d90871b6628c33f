import * as z from 'zod'
import { approvalsSchema } from './approval-settings.ts'
import { budgetSchema } from './budget-settings.ts'
import { gateSchema } from './gate-settings.ts'

const MAX_TIMER_MS = 2_147_483_647
const doubtPolicy = z.enum(['retry', 'resume', 'ask'])
/** What becomes of a call nobody knows the outcome of. */
export type DoubtPolicy = 'retry' | 'resume' | 'ask'
const ofPurpose = doubtPolicy.default('retry')
/** An executor would be asked for a model of no name. */
const model = z.string().min(1, 'must not be empty')
const instruction = z.string().max(20_000).optional()
const promptVersion = z.string().min(1).max(100).optional()

/** The rules of a session and their defaults. */
export const settingsSchema = z.strictObject({
  /** Work items between assignment and verdict at one time. */
  maxConcurrentTasks: z.int().min(1).max(100).default(2),
  /** How often a rejected work item goes back before it has failed. */
  maxRevisions: z.int().min(0).max(20).default(2),
  /** What becomes of a work item that is still rejected then, or of a session whose gates reject it: it has failed, or a person is asked. */
  whenRejected: z.enum(['fail', 'ask']).default('fail'),
  /** How often the Manager is asked for a plan before the session has failed. */
  maxPlanAttempts: z.int().min(1).max(10).default(3),
  /** How often one call is made when it fails for reasons that may pass (a crash of ours is not counted). */
  maxCallAttempts: z.int().min(1).max(10).default(2),
  /** What happens to a call nobody knows the outcome of: made again, gone on with, or a person is asked; for all, or by purpose. */
  inDoubt: z
    .union([doubtPolicy, z.strictObject({ plan: ofPurpose, work: ofPurpose, review: ofPurpose })])
    .default('retry'),
  /** A review below this score rejects, even when it approves; 0 leaves the verdict to the reviewer. */
  minQualityScore: z.number().min(0).max(1).default(0),
  /** What judges results beside the reviewer, run side by side. Default: none. */
  gates: z
    .array(gateSchema)
    .refine((gates) => new Set(gates.map(({ gateId }) => gateId)).size === gates.length, 'gate ids must differ')
    .default([]),
  /**
   * Whether work that a mandatory gate has failed is reviewed all the same, for the sake of the feedback. It stays
   * rejected whatever the review says.
   */
  reviewFailingWork: z.boolean().default(false),
  /** Without one nothing is limited. */
  budget: budgetSchema.optional(),
  /** What a person has to approve first. Default: nothing. */
  approvals: approvalsSchema.default({ plan: false, workItems: [], tools: [], completion: false, onTimeout: 'deny' }),
  /** The model each role is asked for, as its executor names it. Default: the executor's own. */
  models: z.strictObject({ manager: model.optional(), worker: model.optional() }).default({}),
  /** Tools the Worker may use, as its executor names them. Default: what the executor allows. */
  allowedTools: z.array(z.string()).optional(),
  /** How long a call may run before it is stopped and has failed, by purpose, milliseconds. */
  timeoutsMs: z
    .strictObject({
      plan: z.int().positive().default(180_000),
      work: z.int().positive().default(180_000),
      review: z.int().positive().default(120_000),
    })
    .default({ plan: 180_000, work: 180_000, review: 120_000 }),
  /** A call whose agent gives no sign of life for so long is recorded, and shown, as stalled. Default: 60,000. */
  stalledAfterMs: z.int().positive().max(MAX_TIMER_MS).optional(),
  /** What becomes of a stalled call: it goes on until its time limit (default), or is stopped, which is a failure like any other. */
  onStalled: z.enum(['wait', 'abort']).optional(),
  /** Versions of prompts that are not the package's own; a coordinator with `prompts` sets them. */
  promptVersions: z
    .strictObject({ plan: promptVersion, work: promptVersion, review: promptVersion, gate: promptVersion })
    .default({}),
  /** What agents are told beside the package's or your wording, by purpose: added to the end of each prompt. */
  instructions: z
    .strictObject({ plan: instruction, work: instruction, review: instruction, gate: instruction })
    .default({}),
  /** Who makes the calls: the process that runs the session, or services that read the task topics. */
  dispatch: z.enum(['local', 'topics']).default('local'),
})

/** A session's rules as recorded with it. */
export type SessionSettings = z.infer<typeof settingsSchema>
/** A session's rules as a caller writes them: everything has a default. */
export type SessionSettingsInput = z.input<typeof settingsSchema>

/** What becomes of a call in doubt, by its purpose: a new object. */
export function doubtPolicies({ inDoubt }: Pick<SessionSettings, 'inDoubt'>): {
  [Purpose in 'plan' | 'work' | 'review']: DoubtPolicy
} {
  return typeof inDoubt === 'string' ? { plan: inDoubt, work: inDoubt, review: inDoubt } : { ...inDoubt }
}
