/*
 * The only file that loads the Claude Agent SDK: an optional peer, ESM only, needed when a call is made and not before.
 */
import type * as ClaudeSdk from '@anthropic-ai/claude-agent-sdk'
import { DuologError } from '../../core/errors.ts'
import { messageOf } from '../../core/message-of.ts'

export type { Options as ClaudeOptions, SDKMessage, SpawnedProcess, SpawnOptions } from '@anthropic-ai/claude-agent-sdk'
export type ClaudeQuery = typeof ClaudeSdk.query

/** Not a literal: the CommonJS build must keep `import()`, `require()` cannot load the package on every Node. */
const PACKAGE = ['@anthropic-ai', 'claude-agent-sdk'].join('/')

/** @throws DEPENDENCY_MISSING with what to install */
export async function loadClaudeQuery(name: string = PACKAGE): Promise<ClaudeQuery> {
  const sdk = (await import(name).catch((cause: unknown) => {
    throw missing(name, cause)
  })) as Partial<typeof ClaudeSdk>
  if (typeof sdk.query === 'function') return sdk.query
  throw missing(name, new Error('it exports no query()'))
}

function missing(name: string, cause: unknown): DuologError {
  const said = messageOf(cause)
  return new DuologError(
    'DEPENDENCY_MISSING',
    `The Claude executor needs the package ${name}, which cannot be loaded (${said}). Install it beside duolog: npm install ${PACKAGE}`,
    { cause },
  )
}
