import * as z from 'zod'

/** What a person has to approve first. The process may end meanwhile; the answer is an event. */
export const approvalsSchema = z.strictObject({
  /** The plan, before any of its items is begun. */
  plan: z.boolean().default(false),
  /** Work items before their first attempt: all, or those with these ids. */
  workItems: z.union([z.literal('all'), z.array(z.string())]).default([]),
  /** Tools of `allowedTools`, before the Worker is first given them; what is denied it works without. */
  tools: z.array(z.string()).default([]),
  /** Once, before the call that would bring the session's cost (spent, held, and held for this call) above this. */
  costAboveUsd: z.number().nonnegative().optional(),
  /** The session's result, when all items are accepted. */
  completion: z.boolean().default(false),
  /** How long a person may take; without it, for ever. Kept over restarts; late is at once. */
  timeoutMs: z.int().positive().optional(),
  /** What happens then. `escalate`: the request is marked as such and waits on, without limit. */
  onTimeout: z.enum(['deny', 'approve', 'escalate']).default('deny'),
})
