import type { Options } from './options.ts'
import type { Summary } from './summary.ts'

/** The end of the story: work items, totals, and where to look further. */
export function reportLines(summary: Summary, options: Options): string[] {
  return [...itemLines(summary), '', ...totalLines(summary, options), '', ...lookFurther(options)]
}

function itemLines({ workItems }: Summary): string[] {
  return table([
    ['ITEM', 'STATUS', 'ATTEMPTS', 'REVISIONS', 'COST', 'TITLE'],
    ...workItems.map(({ id, status, attempts, revisions, costUsd, title }) => {
      return [id, status, `${attempts}`, `${revisions}`, usd(costUsd), title]
    }),
  ])
}

function totalLines({ totals, projectTests, durationMs, budget, approvals }: Summary, options: Options): string[] {
  const { workerCalls, accepted, revisions, inDoubtCalls, withdrawnWorkerCalls } = totals
  const withdrawn = withdrawnWorkerCalls > 0 ? ` + ${withdrawnWorkerCalls} withdrawn` : ''
  return table([
    [
      'Worker calls',
      `${workerCalls} = ${accepted} accepted + ${revisions} revised + ${inDoubtCalls} in doubt${withdrawn}`,
    ],
    ['Manager calls', `${totals.managerCalls}, the plan and the reviews`],
    ['Gate runs', `${totals.gateRuns}, each a real run of the item's tests`],
    [
      'Cost',
      `${usd(totals.costUsd)}${options.executor === 'script' ? ', made up' : ''}; what the killed call had cost by then nobody knows`,
    ],
    ...modelRows(totals.usage),
    ...(budget?.maxUsd === undefined
      ? []
      : [['Budget', `${usd(budget.usd)} of ${usd(budget.maxUsd)} spent; the call in doubt counts in full`] as const]),
    ...approvals.map(
      ({ approvalId, status, reason = 'by you' }) => ['Approval', `${approvalId} ${status}, ${reason}`] as const,
    ),
    ['Time', `${(durationMs / 1000).toFixed(1)} s`],
    ['Events', `${totals.events}`],
    ["Project's tests", `${projectTests.counts} (run again just now)`],
  ])
}

function modelRows(usage: Summary['totals']['usage']): (readonly [string, string])[] {
  return Object.entries(usage?.models ?? {}).map(([model, { inputTokens, outputTokens, costUsd = 0 }]) => [
    model,
    `${usd(costUsd)}, ${inputTokens} tokens in, ${outputTokens} out`,
  ])
}

function lookFurther({ sessionId, log, ownBroker }: Options): string[] {
  if (ownBroker) return ['The broker ended with this run, and the log with it.']
  const commands = [`show ${sessionId}`, `show ${sessionId} --at 20`, `events ${sessionId}`]
  return ['Look further', ...commands.map((command) => `  npx duolog ${command} --log ${quoted(log)}`)]
}

/** How an interrupted run is gone on with. */
export function goOnLines({ sessionId, log, ownBroker, executor, style }: Options): string[] {
  if (ownBroker) return []
  const same = `${executor === 'script' ? '' : ` --executor ${executor}`}${style === 'choreography' ? '' : ` --style ${style}`}`
  return ['Go on with it:', `  npm run demo -- --resume ${sessionId} --log ${quoted(log)}${same}`]
}

/** How a run that waits for money gets some. */
export function raiseLines(options: Options, enoughUsd: number): string[] {
  const { sessionId, log, ownBroker } = options
  if (ownBroker) return []
  const raise = `  npx duolog budget raise ${sessionId} --usd ${enoughUsd} --log ${quoted(log)}`
  return ['Raise it:', raise, ...goOnLines(options)]
}

function table(rows: readonly (readonly string[])[]): string[] {
  const width = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0))
  return rows.map((row) =>
    row
      .map((text, column) => text.padEnd(width(column)))
      .join('  ')
      .trimEnd(),
  )
}

function usd(cost: number): string {
  return `$${cost.toFixed(3)}`
}

/** For a shell. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
