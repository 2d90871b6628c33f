import type { ModelUsage } from '../agents/executor.ts'
import type { GateOutcome } from '../agents/session/state.ts'
import type { CallView, SessionView, UsageView, WorkItemView } from '../agents/session/view.ts'
import { formatDuration, formatUsd, plural } from '../core/format.ts'
import { paint, wantsColor } from './render/paint.ts'
import { type Column, table } from './render/table.ts'
import { plainLine } from './render/width.ts'
import { ofLimit, spentText } from './spending.ts'
import { totalsLine } from './summary.ts'

/** A session as a page of text: what it is, its work items, its calls, what it took. */
export function sessionLines(view: SessionView): string[] {
  const color = wantsColor(process.stdout)
  const heading = paint(plainLine(view.task), 'bold', color)
  return [
    heading,
    ...headerLines(view),
    ...section(table(view.workItems, itemColumns, { color }), view.workItems),
    ...section(table(verdictsOf(view), verdictColumns, { color }), verdictsOf(view)),
    ...section(table(view.calls, callColumns, { color }), view.calls),
    '',
    totalsLine(view.totals),
    ...usageLines(view.totals.usage),
  ]
}

function headerLines({
  sessionId,
  status,
  reason,
  version,
  phase,
  workDir,
  owner,
  inDoubt,
  budget,
}: SessionView): string[] {
  const rows = [
    ['session', sessionId],
    ['status', reason === undefined ? status : `${status}: ${plainLine(reason)}`],
    ['version', `${version} (phase ${phase})`],
    ['folder', workDir],
    ['run by', owner],
    ['in doubt', doubtText(inDoubt)],
    ...(budget === undefined ? [] : [['budget', budgetText(budget)]]),
  ]
  return rows.map(([name = '', value]) => `${name.padEnd(9)}${value}`)
}

/** `retry`, or `plan retry · work ask · review retry`. */
function doubtText(policies: SessionView['inDoubt']): string {
  const { plan, work, review } = policies
  if (plan === work && work === review) return plan
  return Object.entries(policies)
    .map((each) => each.join(' '))
    .join(' · ')
}

/** `$0.90 of $5.00 spent, $1.00 held · 3 calls of 20 · pool october`. */
function budgetText(budget: NonNullable<SessionView['budget']>): string {
  const { calls, tokens, turns, maxUsd, maxCalls, maxTokens, maxTurns, maxWallClockMs, pool } = budget
  return [
    spentText(budget, maxUsd),
    ofLimit(plural(calls, 'call'), maxCalls),
    ...(maxTokens === undefined ? [] : [ofLimit(plural(tokens, 'token'), maxTokens)]),
    ...(maxTurns === undefined ? [] : [ofLimit(plural(turns, 'turn'), maxTurns)]),
    ...(maxWallClockMs === undefined ? [] : [`at most ${formatDuration(maxWallClockMs)} from its start`]),
    ...(pool === undefined ? [] : [`pool ${pool}`]),
  ].join(' · ')
}

type Verdict = GateOutcome & { readonly item: string }

function verdictsOf({ workItems, gates }: SessionView): Verdict[] {
  const ofItems = workItems.flatMap(({ id, gates }) => gates.map((gate) => ({ item: id, ...gate })))
  return [...ofItems, ...gates.map((gate) => ({ item: '(session)', ...gate }))]
}

const verdictColumns: readonly Column<Verdict>[] = [
  { header: 'gate', value: ({ gateId }) => gateId, maxWidth: 24 },
  { header: 'item', value: ({ item }) => item, maxWidth: 24 },
  {
    header: 'verdict',
    value: ({ passed, mandatory }) => `${passed ? 'passed' : 'failed'}${mandatory ? '' : ', advisory'}`,
  },
  { header: 'score', value: ({ score }) => score, align: 'right' },
  { header: 'label', value: ({ label = '' }) => label, maxWidth: 24 },
  { header: 'explanation', value: ({ explanation }) => explanation, maxWidth: 80 },
]

/** `turns 12 · 8,210 tokens in, 930 out`, then a line per model. */
function usageLines(usage: UsageView | undefined): string[] {
  if (usage === undefined) return []
  const { turns, models = {} } = usage
  const all = [...(turns === undefined ? [] : [plural(turns, 'turn')]), tokens(usage)]
  const lines = Object.entries(models).map(([model, of]) => {
    const cost = of.costUsd === undefined ? [] : [formatUsd(of.costUsd)]
    return `  ${plainLine(model)}: ${[plural(of.calls, 'call'), tokens(of), ...cost].join(' · ')}`
  })
  return [all.join(' · '), ...lines]
}

function tokens({ inputTokens = 0, outputTokens = 0, cacheReadTokens = 0 }: Partial<ModelUsage>): string {
  const cached = cacheReadTokens === 0 ? '' : ` (${cacheReadTokens} from the cache)`
  return `${inputTokens} tokens in${cached}, ${outputTokens} out`
}

function section(lines: readonly string[], rows: readonly unknown[]): readonly string[] {
  return rows.length === 0 ? [] : ['', ...lines]
}

const itemColumns: readonly Column<WorkItemView>[] = [
  { header: 'item', value: ({ id }) => id, maxWidth: 24 },
  { header: 'status', value: ({ status }) => status },
  { header: 'attempts', value: ({ attempts }) => attempts, align: 'right' },
  { header: 'revisions', value: ({ revisions }) => revisions, align: 'right' },
  { header: 'cost', value: ({ costUsd }) => formatUsd(costUsd), align: 'right' },
  {
    header: 'title',
    value: ({ title, reason }) => (reason === undefined ? title : `${title} (${reason})`),
    maxWidth: 80,
  },
]

const callColumns: readonly Column<CallView>[] = [
  { header: 'call', value: ({ callId }) => callId },
  { header: 'role', value: ({ role }) => role },
  { header: 'purpose', value: ({ purpose }) => purpose },
  { header: 'item', value: ({ workItemId = '' }) => workItemId, maxWidth: 24 },
  { header: 'attempt', value: ({ attempt }) => attempt, align: 'right' },
  { header: 'status', value: callStatus },
  { header: 'cost', value: ({ costUsd }) => formatUsd(costUsd), align: 'right' },
  {
    header: 'time',
    value: ({ durationMs }) => (durationMs === undefined ? '' : formatDuration(durationMs)),
    align: 'right',
  },
  { header: 'note', value: callNote, maxWidth: 60 },
]

function callStatus({ status, resolution, stalledMs, notBefore }: CallView): string {
  if (notBefore !== undefined && Date.parse(notBefore) > Date.now()) return `waits until ${notBefore}`
  if (stalledMs !== undefined) return `stalled (silent for ${formatDuration(stalledMs)})`
  return resolution === undefined ? status : `${status} → ${resolution}`
}

function callNote({ predecessor, error, toolCalls }: CallView): string {
  return [
    ...(predecessor === undefined ? [] : [`after ${predecessor}`]),
    ...(toolCalls === undefined ? [] : [plural(toolCalls, 'tool call')]),
    ...(error === undefined ? [] : [error]),
  ].join(': ')
}
