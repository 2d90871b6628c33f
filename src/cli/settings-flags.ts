import { InvalidArgumentError } from 'commander'
import { type BudgetLimits, perCallUsdSchema } from '../agents/session/budget-settings.ts'
import type { BudgetRaised } from '../agents/session/schemas.ts'
import { type SessionSettingsInput, settingsSchema } from '../agents/session/settings.ts'
import { namedValues } from './flag-values.ts'
import { limitsOf, MINUTE_MS } from './limit-flags.ts'
import { splitCommand } from './split-command.ts'

type GateInput = NonNullable<SessionSettingsInput['gates']>[number]

/** A session's rules as `duolog run` takes them. */
export interface SettingsFlags {
  readonly gate?: readonly GateInput[]
  readonly maxConcurrent?: number
  readonly maxRevisions?: number
  readonly callTimeout?: number
  readonly stalledAfter?: number
  readonly onStalled?: 'wait' | 'abort'
  readonly inDoubt?: SessionSettingsInput['inDoubt']
  readonly dispatch?: 'local' | 'topics'
  readonly whenRejected?: 'fail' | 'ask'
  readonly budgetUsd?: number
  readonly budgetCalls?: number
  readonly budgetTokens?: number
  readonly budgetTurns?: number
  readonly budgetMinutes?: number
  readonly budgetPool?: string
  readonly managerBudget?: BudgetLimits
  readonly workerBudget?: BudgetLimits
  readonly perCallUsd?: PerCallUsd
  readonly approveAbove?: number
  readonly approveTool?: readonly string[]
  readonly approvalTimeout?: number
  readonly onApprovalTimeout?: 'deny' | 'approve' | 'escalate'
  readonly approve?: readonly string[]
  readonly allowTool?: readonly string[]
}

const SECOND_MS = 1000

export function settingsFrom(flags: SettingsFlags): SessionSettingsInput {
  const { gate, maxConcurrent, maxRevisions, callTimeout, inDoubt, dispatch, whenRejected, allowTool } = flags
  const { stalledAfter, onStalled } = flags
  const budget = budgetOf(flags)
  const approvals = approvalsOf(flags)
  return {
    ...(gate && { gates: [...gate] }),
    ...(maxConcurrent !== undefined && { maxConcurrentTasks: maxConcurrent }),
    ...(maxRevisions !== undefined && { maxRevisions }),
    ...(callTimeout !== undefined && { timeoutsMs: sameTimeout(callTimeout * SECOND_MS) }),
    ...(stalledAfter !== undefined && { stalledAfterMs: stalledAfter * SECOND_MS }),
    ...(onStalled && { onStalled }),
    ...(inDoubt && { inDoubt }),
    ...(dispatch && { dispatch }),
    ...(whenRejected && { whenRejected }),
    ...(budget && { budget }),
    ...(allowTool && { allowedTools: [...allowTool] }),
    ...(approvals && { approvals }),
  }
}

function budgetOf(flags: SettingsFlags): SessionSettingsInput['budget'] {
  const { budgetUsd, budgetCalls, budgetTokens, budgetTurns, budgetMinutes, budgetPool, perCallUsd } = flags
  const { managerBudget: manager, workerBudget: worker } = flags
  const budget = {
    ...limitsOf({
      usd: budgetUsd,
      calls: budgetCalls,
      tokens: budgetTokens,
      turns: budgetTurns,
      minutes: budgetMinutes,
    }),
    ...(budgetPool !== undefined && { pool: budgetPool }),
    ...(perCallUsd && { perCallUsd }),
    ...((manager ?? worker) && { roles: { ...(manager && { manager }), ...(worker && { worker }) } }),
  }
  return Object.keys(budget).length === 0 ? undefined : budget
}

/** `plan`, `completion`, `items` (all of them), or the id of a work item. */
function approvalsOf(flags: SettingsFlags): SessionSettingsInput['approvals'] {
  const { approve, approveAbove, approveTool, approvalTimeout, onApprovalTimeout } = flags
  const approvals = {
    ...(approve && namedApprovals(approve)),
    ...(approveAbove !== undefined && { costAboveUsd: approveAbove }),
    ...(approveTool && { tools: [...approveTool] }),
    ...(approvalTimeout !== undefined && { timeoutMs: approvalTimeout * MINUTE_MS }),
    ...(onApprovalTimeout && { onTimeout: onApprovalTimeout }),
  }
  return Object.keys(approvals).length === 0 ? undefined : approvals
}

function namedApprovals(names: readonly string[]): NonNullable<SessionSettingsInput['approvals']> {
  const ids = names.filter((name) => !['plan', 'completion', 'items'].includes(name))
  return {
    plan: names.includes('plan'),
    completion: names.includes('completion'),
    workItems: names.includes('items') ? 'all' : ids,
  }
}

/** `retry`, or by purpose: `work=ask,plan=retry`; what is left out is the default, `retry`. */
export function doubtPolicy(text: string): SessionSettingsInput['inDoubt'] {
  const parsed = settingsSchema.shape.inDoubt.safeParse(text.includes('=') ? namedValues(text) : text)
  if (parsed.success) return parsed.data
  throw new InvalidArgumentError('It must be retry, resume or ask, or by purpose such as work=ask,plan=retry.')
}

type PerCallUsd = NonNullable<BudgetRaised['perCallUsd']>

/** `2` for every call, or by purpose: `work=3,review=0.5`. */
export function perCallUsd(text: string): PerCallUsd {
  const given = text.includes('=') ? namedValues(text) : { plan: text, work: text, review: text }
  const amounts = Object.entries(given).map(([purpose, value]) => [purpose, value === '' ? Number.NaN : Number(value)])
  const parsed = perCallUsdSchema.safeParse(Object.fromEntries(amounts))
  if (parsed.success) return parsed.data
  throw new InvalidArgumentError('It must be an amount such as 2.50, or by purpose such as work=3,review=0.5.')
}

function sameTimeout(ms: number) {
  return { plan: ms, work: ms, review: ms }
}

/** `npm test`, or with a name `tests=npm test`; may be given several times. */
export function collectGate(text: string, before: readonly GateInput[] = []): GateInput[] {
  const [, name, command = text] = /^([A-Za-z0-9._-]{1,64})=(.*)$/s.exec(text) ?? []
  const words = splitCommand(command)
  const gateId = name ?? nameOf(words)
  if (before.some((gate) => gate.gateId === gateId)) {
    throw new InvalidArgumentError(`Two gates are called ${gateId}; name them: --gate 'NAME=COMMAND'.`)
  }
  return [...before, { gateId, command: words }]
}

function nameOf(words: readonly string[]): string {
  const name = words.join('-').replace(/[^A-Za-z0-9._-]+/g, '-')
  return name.replace(/^-+/, '').slice(-64)
}

/** May be given several times. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text]
}
