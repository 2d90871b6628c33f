/*
 * What executors tell of a call beside its answer, in the shape that results, events and cassettes share: what it used of
 * which model, and which tools it called.
 */
import * as z from 'zod'
import type { AgentUsage, ModelUsage, ToolCall } from './executor.ts'
import type { Redact } from './redact.ts'

const amount = z.number().min(0)

/** `AgentUsage`. */
export const usageSchema = z.object({
  inputTokens: amount.optional(),
  outputTokens: amount.optional(),
  turns: amount.optional(),
  incomplete: z.literal(true).optional(),
  models: z
    .record(
      z.string().min(1).max(200),
      z.object({
        inputTokens: amount,
        outputTokens: amount,
        cacheReadTokens: amount.optional(),
        costUsd: amount.optional(),
      }),
    )
    .optional(),
})

/** `ToolCall`. */
export const toolCallSchema = z.object({
  tool: z.string().min(1),
  input: z.string().optional(),
  count: z.int().positive().optional(),
  firstAt: z.iso.datetime().optional(),
  summary: z.literal(true).optional(),
})

const MAX_TOOL_CALLS = 100
const MAX_TOOL_CHARS = 100
const MAX_INPUT_CHARS = 200

/** What two calls used, together; nothing where neither says. */
export function sumOfUsage(a: AgentUsage | undefined, b: AgentUsage | undefined): AgentUsage | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return definedOnly({
    inputTokens: sum(a.inputTokens, b.inputTokens),
    outputTokens: sum(a.outputTokens, b.outputTokens),
    turns: sum(a.turns, b.turns),
    incomplete: a.incomplete ?? b.incomplete,
    models: sumOfModels(a.models, b.models),
  }) as AgentUsage
}

function sumOfModels(a: AgentUsage['models'], b: AgentUsage['models']): AgentUsage['models'] {
  if (a === undefined || b === undefined) return a ?? b
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])]
  return Object.fromEntries(names.map((name) => [name, sumOfModel(a[name], b[name])]))
}

function sumOfModel(a: ModelUsage | undefined, b: ModelUsage | undefined): ModelUsage {
  const costUsd = sum(a?.costUsd, b?.costUsd)
  return definedOnly({
    inputTokens: sum(a?.inputTokens, b?.inputTokens),
    outputTokens: sum(a?.outputTokens, b?.outputTokens),
    cacheReadTokens: sum(a?.cacheReadTokens, b?.cacheReadTokens),
    costUsd: costUsd === undefined ? undefined : Math.round(costUsd * 1e6) / 1e6,
  }) as ModelUsage
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : a + (b ?? 0)
}

/**
 * As the log keeps them: the same call several times in a row is one with a count, after 100 the rest is one summary.
 * Redacted before it is cut, so that no secret is cut into something that no longer looks like one.
 */
export function recordedToolCalls(calls: readonly ToolCall[], redact: Redact): ToolCall[] {
  const joined: ToolCall[] = []
  for (const call of calls) {
    const next = shortened(call, redact)
    const last = joined.at(-1)
    if (last !== undefined && isSame(last, next))
      joined[joined.length - 1] = { ...last, count: countOf(last) + countOf(next) }
    else joined.push(next)
  }
  const rest = joined.slice(MAX_TOOL_CALLS)
  return rest.length === 0 ? joined : [...joined.slice(0, MAX_TOOL_CALLS), summaryOf(rest)]
}

function shortened({ tool, input, ...call }: ToolCall, redact: Redact): ToolCall {
  return {
    ...definedOnly(call),
    tool: redact(tool).slice(0, MAX_TOOL_CHARS),
    ...(input === undefined ? {} : { input: cut(redact(input)) }),
  }
}

function definedOnly<T extends object>(data: T): T {
  return Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined)) as T
}

function cut(text: string): string {
  return text.length > MAX_INPUT_CHARS ? `${text.slice(0, MAX_INPUT_CHARS - 1)}…` : text
}

function isSame(a: ToolCall, b: ToolCall): boolean {
  return a.tool === b.tool && a.input === b.input && !a.summary && !b.summary
}

function countOf({ count = 1 }: ToolCall): number {
  return count
}

function summaryOf(calls: readonly ToolCall[]): ToolCall {
  const counts = new Map<string, number>()
  for (const call of calls) counts.set(call.tool, (counts.get(call.tool) ?? 0) + countOf(call))
  const [{ firstAt } = {}] = calls
  return {
    tool: 'others',
    input: cut([...counts].map(([tool, count]) => `${tool} ×${count}`).join(', ')),
    count: [...counts.values()].reduce((sum, count) => sum + count, 0),
    ...(firstAt === undefined ? {} : { firstAt }),
    summary: true,
  }
}
