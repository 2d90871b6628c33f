import type { SessionView } from '../agents/session/view.ts'
import { DEFAULT_LOG } from '../store/default-log.ts'
import type { ExecutorFlags } from './executor-flags.ts'
import type { PromptsFlags } from './prompts-flag.ts'
import type { WorkRootFlags } from './work-dir.ts'

/*
 * The exact commands a person can go on with, ready to be pasted.
 */

const PROGRAM = process.env.npm_lifecycle_event === 'npx' ? 'npx duolog' : 'duolog'

export interface GoOnFlags extends ExecutorFlags, PromptsFlags, WorkRootFlags {
  readonly log: string
}

export function resumeCommand(sessionId: string, flags: GoOnFlags): string {
  const own = [...executorArgs(flags), ...promptsArgs(flags), ...workRootArgs(flags)]
  return commandLine(['resume', sessionId, ...logArgs(flags), ...own])
}

export function showCommand(sessionId: string, flags: GoOnFlags): string {
  return commandLine(['show', sessionId, ...logArgs(flags)])
}

export function followCommand(sessionId: string, flags: GoOnFlags): string {
  return commandLine(['events', sessionId, '--follow', ...logArgs(flags)])
}

export function resolveCommand(sessionId: string, callId: string, flags: GoOnFlags): string {
  return commandLine(['resolve', sessionId, callId, '--retry', ...logArgs(flags)])
}

type Exceeded = Pick<NonNullable<NonNullable<SessionView['budget']>['exceeded']>, 'limit' | 'scope'>

export function raiseCommand(sessionId: string, { limit, scope }: Exceeded, flags: GoOnFlags): string {
  const role = scope === 'manager' || scope === 'worker' ? ['--role', scope] : []
  return raising(['budget', 'raise', sessionId, ...logArgs(flags), ...role], limit)
}

export function raisePoolCommand(poolId: string, limit: Exceeded['limit'], flags: GoOnFlags): string {
  return raising(['budget', 'pool', 'raise', poolId, ...logArgs(flags)], limit)
}

function raising(args: readonly string[], limit: Exceeded['limit']): string {
  const [flag, value] = limit === 'wall-clock' ? ['--minutes', 'MINUTES'] : [`--${limit}`, 'AMOUNT']
  return `${commandLine([...args, flag])} ${value}`
}

export function raiseCallCommand(sessionId: string, purpose: string, flags: GoOnFlags): string {
  return `${commandLine(['budget', 'raise', sessionId, ...logArgs(flags), '--per-call-usd'])} ${purpose}=AMOUNT`
}

export function approveCommand(sessionId: string, approvalId: string, flags: GoOnFlags): string {
  return commandLine(['approve', sessionId, approvalId, ...logArgs(flags)])
}

/** What nobody knows the outcome of, and nobody has decided on. */
export function callsInDoubt(view: SessionView): SessionView['calls'] {
  return view.calls.filter((call) => call.status === 'in-doubt' && call.resolution === undefined)
}

function logArgs({ log }: GoOnFlags): string[] {
  return log === DEFAULT_LOG ? [] : ['--log', log]
}

function workRootArgs({ workRoot }: GoOnFlags): string[] {
  return workRoot === undefined ? [] : ['--work-root', workRoot]
}

function promptsArgs({ prompts }: GoOnFlags): string[] {
  return prompts === undefined ? [] : ['--prompts', prompts]
}

function executorArgs({ executor, script, command, replay }: ExecutorFlags): string[] {
  if (replay !== undefined) return ['--replay', replay]
  if (executor !== undefined) return ['--executor', executor]
  if (script !== undefined) return ['--script', script]
  return command === undefined ? [] : ['--command', command.map(quoted).join(' ')]
}

function commandLine(args: readonly string[]): string {
  return [PROGRAM, ...args.map(quoted)].join(' ')
}

function quoted(arg: string): string {
  return /^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", `'\\''`)}'`
}
