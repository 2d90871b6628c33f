import type { AgentExecutor } from '../agents/executor.ts'
import { claudeExecutor } from '../agents/executors/claude-executor.ts'
import { loadClaudeQuery } from '../agents/executors/claude-sdk.ts'
import { fromExecuteWithSDK, type HostExecutor } from '../agents/executors/host-executor.ts'
import { DuologError } from '../core/errors.ts'
import { messageOf } from '../core/message-of.ts'

/**
 * Whoever makes the calls, once it is known to be there.
 *
 * @throws EXECUTOR_INVALID · DEPENDENCY_MISSING with a message that begins "Claude Code SDK is not available"
 */
export async function executorFor(
  given: AgentExecutor | HostExecutor | undefined,
  { verbose = false }: { readonly verbose?: boolean | undefined },
): Promise<AgentExecutor> {
  if (given === undefined) return ownExecutor()
  if (!('executeWithSDK' in given)) return given
  if ((await given.isAvailable?.()) === false) {
    throw new DuologError(
      'EXECUTOR_INVALID',
      'Claude Code SDK is not available: isAvailable() of the executor says no. Install and log in to what it runs, then try again.',
    )
  }
  return fromExecuteWithSDK(given, { verbose })
}

async function ownExecutor(): Promise<AgentExecutor> {
  try {
    await loadClaudeQuery()
  } catch (cause) {
    const message = `Claude Code SDK is not available: ${messageOf(cause)}`
    throw new DuologError('DEPENDENCY_MISSING', message, { cause })
  }
  return claudeExecutor()
}
