import { realpath } from 'node:fs/promises'
import type { AgentRequest } from '../executor.ts'
import type { RunIdentity } from './process-marks.ts'

/** Two runs of one purpose and work item of a session never rightly live in one folder at the same time. */
export async function runIdentityOf({ sessionId, workDir, purpose, workItemId }: AgentRequest): Promise<RunIdentity> {
  const real = await realpath(workDir).catch(() => workDir)
  return { sessionId, workDir: real, key: [purpose, workItemId].join('/') }
}
