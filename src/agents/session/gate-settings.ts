import * as z from 'zod'

/** What decides, beside the reviewer, whether a result may be accepted. One of `command`, `reviewer`, `function` judges. */
export const gateSchema = z
  .strictObject({
    /** Its name, unique among the session's gates. */
    gateId: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 letters, digits, or . _ -'),
    /** A failing mandatory gate rejects; an advisory one is only shown. */
    mandatory: z.boolean().default(true),
    /** Judges each attempt at a work item, or once the session's result, when all items are accepted. */
    scope: z.enum(['work-item', 'session']).default('work-item'),
    /** Program and arguments; no shell reads them. Runs in the session's work directory; exit code 0 passes with score 1. */
    command: z.array(z.string()).min(1).optional(),
    /** The Manager judges in a call of its own, by this instruction. Paid like a review. */
    reviewer: z.string().trim().min(1).optional(),
    /** Name of a function given to the coordinator or the gate service. */
    function: z.string().min(1).optional(),
    /** A lower score fails, whatever the evaluator says; 0 leaves it to the evaluator. */
    minScore: z.number().min(0).max(1).default(0),
    /** How long it may take, milliseconds; then it is stopped with all it started, and has failed. */
    timeoutMs: z.int().positive().default(120_000),
  })
  .refine((gate) => [gate.command, gate.reviewer, gate.function].filter((judge) => judge !== undefined).length === 1, {
    message: 'needs exactly one of command, reviewer, function',
  })

/** A gate as recorded with its session. */
export type QualityGate = z.infer<typeof gateSchema>
