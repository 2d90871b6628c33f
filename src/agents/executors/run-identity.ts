import { realpath } from 'node:fs/promises'
import type { AgentRequest } from '../executor.ts'
import type { RunIdentity } from './process-marks.ts'

/**
 * Two runs of one purpose and work item of a session never rightly live in one folder at the same time; those of different
 * gates do.
 */
export async function runIdentityOf(request: AgentRequest): Promise<RunIdentity> {
  const { sessionId, workDir, purpose, workItemId, gateId } = request
  const real = await realpath(workDir).catch(() => workDir)
  return { sessionId, workDir: real, key: [purpose, workItemId, gateId].join('/') }
}
