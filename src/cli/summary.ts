import { isEnded } from '../agents/session/state.ts'
import type { SessionView } from '../agents/session/view.ts'
import { formatUsd, plural } from '../core/format.ts'
import {
  approveCommand,
  callsInDoubt,
  followCommand,
  type GoOnFlags,
  raiseCallCommand,
  raiseCommand,
  raisePoolCommand,
  resolveCommand,
  resumeCommand,
  showCommand,
} from './next-command.ts'
import { plainLine } from './render/width.ts'

/** What became of a session, in two or three lines. */
export function summaryLines(view: SessionView): string[] {
  const { sessionId, status, reason, totals, version } = view
  const why = reason === undefined || status === 'completed' ? '' : `: ${plainLine(reason)}`
  return [`Session ${sessionId} ${status}${why}`, `  ${totalsLine(totals)} · ${plural(version, 'event')}`]
}

export function totalsLine(totals: SessionView['totals']): string {
  const { workItems, accepted, workerCalls, managerCalls, gateRuns, revisions, inDoubtCalls, refusedReports } = totals
  return [
    `${accepted}/${workItems} accepted`,
    plural(workerCalls, 'worker call'),
    plural(managerCalls, 'manager call'),
    ...some(gateRuns, 'gate run'),
    ...some(revisions, 'revision'),
    ...(inDoubtCalls > 0 ? [`${plural(inDoubtCalls, 'call')} in doubt`] : []),
    ...some(refusedReports, 'late report'),
    formatUsd(totals.costUsd),
  ].join(' · ')
}

function some(count: number, noun: string): string[] {
  return count > 0 ? [plural(count, noun)] : []
}

/** The exact command to go on with, or to look further. */
export function goOnLines(view: SessionView, flags: GoOnFlags): string[] {
  const { sessionId, status } = view
  if (flags.log.startsWith('memory:')) return []
  if (status === 'waiting') return waitingLines(view, flags)
  if (isEnded(view)) return ['Look further:', `  ${showCommand(sessionId, flags)}`]
  if (view.dispatch === 'topics' && status !== 'paused') {
    return ['Its services go on. Follow:', `  ${followCommand(sessionId, flags)}`]
  }
  return [goOnWith(view, flags), `  ${resumeCommand(sessionId, flags)}`]
}

function goOnWith({ dispatch }: SessionView, { executor, script, command, replay }: GoOnFlags): string {
  const complete = dispatch === 'topics' || (executor ?? script ?? command ?? replay) !== undefined
  return complete ? 'Go on with:' : 'Go on with (and who does the work: --script, --command or --executor):'
}

function waitingLines(view: SessionView, flags: GoOnFlags): string[] {
  return [
    ...doubtLines(view, flags),
    ...moneyLines(view, flags),
    ...approvalLines(view, flags),
    goOnWith(view, flags).replace('Go', 'Then go'),
    `  ${resumeCommand(view.sessionId, flags)}`,
  ]
}

function doubtLines(view: SessionView, flags: GoOnFlags): string[] {
  const calls = callsInDoubt(view)
  if (calls.length === 0) return []
  return [
    `Nobody knows what became of ${plural(calls.length, 'call')}. Decide with --retry, --resume or --fail:`,
    ...calls.map((call) => `  ${resolveCommand(view.sessionId, call.callId, flags)}`),
  ]
}

function moneyLines({ budget, sessionId }: SessionView, flags: GoOnFlags): string[] {
  if (budget?.exceeded === undefined) return []
  const { limit, max, spent, reserved, needed, purpose, scope } = budget.exceeded
  if (limit === 'call') {
    return [
      `A ${purpose} call stopped at what it may spend itself (${max} USD) without a result. Give such calls more:`,
      `  ${raiseCallCommand(sessionId, purpose ?? 'work', flags)}`,
    ]
  }
  const pool = scope === 'pool' ? budget.pool : undefined
  const why =
    limit === 'wall-clock'
      ? `${whoseTime(scope, pool)} is up. Give it more (minutes from its ${pool === undefined ? 'start' : 'creation'}):`
      : `The budget${pool === undefined ? '' : ` pool "${pool}"`} does not allow the next ${purpose} call: it needs ${needed} ${limit}; of ${max}, ${spent} are spent and ${reserved} held. Raise it:`
  const command =
    pool === undefined ? raiseCommand(sessionId, { limit, scope }, flags) : raisePoolCommand(pool, limit, flags)
  return [why, `  ${command}`]
}

function whoseTime(scope: string = 'session', pool: string | undefined): string {
  if (pool !== undefined) return `The time of the budget pool "${pool}"`
  return scope === 'session' ? 'Its time' : `The time of its ${scope}`
}

function approvalLines({ approvals, sessionId }: SessionView, flags: GoOnFlags): string[] {
  const pending = approvals.filter(({ status }) => status === 'requested')
  return pending.flatMap(({ approvalId, input }) => [
    `A person has to approve "${approvalId}": ${plainLine(input.replaceAll('\n', ' · '))}`,
    `  ${approveCommand(sessionId, approvalId, flags)}`,
  ])
}
