import { inspect } from 'node:util'
import { CommanderError } from 'commander'
import { createRedactor } from '../agents/redact.ts'
import { type DuologErrorCode, isDuologError } from '../core/errors.ts'
import { messageOf } from '../core/message-of.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { printJson } from './output.ts'

/** What comes from a moment or from us, not from what the caller asked for. */
const NOT_INPUT: ReadonlySet<DuologErrorCode> = new Set([
  'EXPECTED_VERSION_CONFLICT',
  'LOG_FULL',
  'LOG_BUSY',
  'CHECKPOINT_FENCED',
  'CHECKPOINT_AHEAD',
  'APPEND_TIMEOUT',
  'STORE_CLOSED',
  'TIMEOUT',
  'CLAIM_LOST',
  'EXECUTOR_FAILED',
] as const)

/** They show what a URL looks like, and repeat no password of the given one. */
const MENTIONS_NO_SECRET: ReadonlySet<string> = new Set<DuologErrorCode>(['INVALID_URL', 'UNKNOWN_URL_SCHEME'])

/**
 * Says on stderr what went wrong, with --json also on stdout as `{ "error": { "code", "message" } }`. The stack is shown
 * only with DUOLOG_DEBUG=1.
 */
export async function reportFailure(error: unknown, { json }: { json: boolean }): Promise<ExitCode> {
  if (error instanceof CommanderError) return reportUsage(error, json)
  const message = MENTIONS_NO_SECRET.has(codeOf(error)) ? textFor(error) : createRedactor()(textFor(error))
  process.stderr.write(`duolog: ${message}\n`)
  if (process.env.DUOLOG_DEBUG === '1') process.stderr.write(`${createRedactor()(inspect(error))}\n`)
  if (json) await printJson({ error: { code: codeOf(error), message } })
  return exitCodeFor(error)
}

/** Help and version are no failures; what was wrong in the command line commander has printed already. */
async function reportUsage(error: CommanderError, json: boolean): Promise<ExitCode> {
  if (error.exitCode === 0) return EXIT.completed
  const message = error.message.replace(/^error: /, '')
  if (json) await printJson({ error: { code: 'INVALID_ARGUMENT', message } })
  return EXIT.badInput
}

function exitCodeFor(error: unknown): ExitCode {
  if (!isDuologError(error)) return EXIT.failed
  if (error.code === 'ABORTED') return EXIT.interrupted
  return NOT_INPUT.has(error.code) ? EXIT.failed : EXIT.badInput
}

function codeOf(error: unknown): string {
  return isDuologError(error) ? error.code : 'UNEXPECTED'
}

function textFor(error: unknown): string {
  if (isDuologError(error)) return error.message
  return `unexpected: ${messageOf(error)} (DUOLOG_DEBUG=1 shows where)`
}
