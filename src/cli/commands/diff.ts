import type { Command } from 'commander'
import { type ComparedOutcome, compareSessions, type SessionComparison } from '../../agents/compare-sessions.ts'
import type { UsageView } from '../../agents/session/view.ts'
import { addLogFlags, type LogFlags, withLog } from '../log-flags.ts'
import { printJson, printLines } from '../output.ts'
import { table } from '../render/table.ts'
import { SESSION_ID, sessionNamed } from '../session-named.ts'

const EXAMPLES = `
Examples:
  duolog diff SESSION FORK
  duolog diff SESSION FORK --json | jq .difference`

export function addDiffCommand(program: Command): void {
  const command = program
    .command('diff')
    .description('compare two sessions: outcome, calls, cost')
    .argument('<a>', `one session: ${SESSION_ID}`)
    .argument('<b>', 'another, perhaps a fork of it')
  addLogFlags(command, 'the comparison')
    .addHelpText('after', EXAMPLES)
    .action((a: string, b: string, flags: LogFlags) =>
      withLog(flags.log, async (store) => {
        const comparison = await compareSessions(store, await sessionNamed(store, a), await sessionNamed(store, b))
        await (flags.json ? printJson(comparison) : printLines(comparisonLines(comparison)))
      }),
    )
}

interface Row {
  readonly what: string
  readonly a: string | number
  readonly b: string | number
  readonly difference?: number
}

function comparisonLines(comparison: SessionComparison): string[] {
  const { a, b, common } = comparison
  const lines = table<Row>(rowsOf(comparison), [
    { header: '', value: ({ what }) => what },
    { header: `a: ${a.sessionId}`, value: (row) => row.a },
    { header: `b: ${b.sessionId}`, value: (row) => row.b },
    { header: 'b - a', value: ({ difference = 0 }) => signed(difference), align: 'right' },
  ])
  if (common === undefined) return lines
  const shared = `Both share the first ${common.version} events of ${common.sessionId}; a fork counts only what it did itself.`
  return [...lines, '', shared]
}

function rowsOf({ a, b, difference, workItems }: SessionComparison): Row[] {
  const accepted = ({ totals }: typeof a) => `${totals.accepted} of ${totals.workItems}`
  const count = (what: string, name: 'workerCalls' | 'managerCalls' | 'revisions' | 'costUsd'): Row => ({
    what,
    a: a.totals[name],
    b: b.totals[name],
    difference: difference[name],
  })
  const modelRow = (model: string, { what, value, difference }: ModelRow): Row => {
    const of = ({ totals }: typeof a) => value(totals.usage?.models?.[model] ?? UNUSED)
    return { what: `${model}, ${what}`, a: of(a), b: of(b), difference }
  }
  return [
    { what: 'status', a: a.status, b: b.status },
    { what: 'accepted', a: accepted(a), b: accepted(b), difference: difference.accepted },
    count('worker calls', 'workerCalls'),
    count('manager calls', 'managerCalls'),
    count('revisions', 'revisions'),
    count('cost, USD', 'costUsd'),
    ...Object.entries(difference.models ?? {}).flatMap(([model, differs]) => [
      modelRow(model, { what: 'USD', value: ({ costUsd = 0 }) => costUsd, difference: differs.costUsd }),
      modelRow(model, { what: 'tokens', value: tokensOf, difference: tokensOf(differs) }),
    ]),
    ...workItems.map((item) => ({ what: `item ${item.id}`, a: outcome(item.a), b: outcome(item.b) })),
  ]
}

interface ModelRow {
  readonly what: string
  readonly value: (of: OfModel) => number
  readonly difference: number
}

type OfModel = NonNullable<UsageView['models']>[string]
const UNUSED: OfModel = { calls: 0, inputTokens: 0, outputTokens: 0 }

function tokensOf({ inputTokens, outputTokens }: Pick<OfModel, 'inputTokens' | 'outputTokens'>): number {
  return inputTokens + outputTokens
}

function signed(value: number): string {
  return value === 0 ? '' : `${value > 0 ? '+' : ''}${value}`
}

function outcome(item: ComparedOutcome | undefined): string {
  if (item === undefined) return '-'
  const score = item.qualityScore === undefined ? '' : `, score ${item.qualityScore}`
  return `${item.status}, ${item.attempts} attempt${item.attempts === 1 ? '' : 's'}${score}, $${item.costUsd.toFixed(2)}`
}
