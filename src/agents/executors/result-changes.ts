import * as z from 'zod'

/** `AgentResult.changes`, as executors and cassettes give it. */
export const changesSchema = z.strictObject({
  by: z.enum(['git', 'files']),
  base: z.string().optional(),
  files: z.array(z.string()).max(500),
  fileCount: z.int().nonnegative(),
  text: z.string().max(40_000, 'must be at most 40,000 characters'),
})
