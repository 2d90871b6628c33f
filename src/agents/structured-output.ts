/*
 * What an agent's answer must look like, and how it is read. An answer that does not fit becomes a list of errors the
 * agent can act on; nothing is guessed, filled in or rewritten but for the documented defaults.
 */
import * as z from 'zod'
import type { AgentResult } from './executor.ts'
import { check, limited } from './explain-issues.ts'
import { findJson, type JsonAnswer } from './json-in-text.ts'
import { once } from './once.ts'

export const MAX_WORK_ITEMS = 500
export const DEFAULT_PRIORITY = 3

const text = z.string().trim().min(1, 'must not be empty')
const itemId = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$/,
    'must be 1 to 100 letters, digits, or . _ : - and start with a letter or digit',
  )

/** What a work item of a plan must look like. */
export const plannedWorkItemSchema = z.object({
  id: itemId,
  title: text,
  description: text,
  acceptanceCriteria: z.array(text).min(1, 'must hold at least one criterion a reviewer can check'),
  /** 1 is the most urgent. */
  priority: z.int().min(1, 'must be 1 to 5').max(5, 'must be 1 to 5').default(DEFAULT_PRIORITY),
  /** In hours. */
  estimatedEffort: z.number().min(0, 'must not be negative').optional(),
  /** Ids of items that must be accepted first. */
  dependencies: z.array(itemId).default([]),
})

/** What a plan must look like. */
export const planSchema = z.object({
  strategy: text,
  workItems: z
    .array(plannedWorkItemSchema)
    .min(1, 'is empty: plan at least one work item')
    .max(MAX_WORK_ITEMS, `holds too many work items: plan at most ${MAX_WORK_ITEMS}, put smaller steps together`),
})

/** What a review must look like. */
export const reviewSchema = z.object({
  approved: z.boolean(),
  /** Kept exactly as the reviewer gave it. */
  qualityScore: z.number().min(0, 'must be from 0 to 1').max(1, 'must be from 0 to 1'),
  feedback: z.array(z.string()).default([]),
  recommendations: z.array(z.string()).default([]),
})

/** What the verdict of a reviewer asked for one gate must look like. */
export const gateVerdictSchema = z.object({
  passed: z.boolean(),
  /** Kept exactly as the reviewer gave it. */
  score: z.number().min(0, 'must be from 0 to 1').max(1, 'must be from 0 to 1'),
  label: z.string().max(100).optional(),
  explanation: text,
  evidence: z.string().optional(),
})

/** A work item of a plan. */
export type PlannedWorkItem = z.infer<typeof plannedWorkItemSchema>
/** What the Manager answers when asked for a plan. */
export type Plan = z.infer<typeof planSchema>
/** What the Manager answers when asked for a review. */
export type Review = z.infer<typeof reviewSchema>

/** For `AgentRequest.outputSchema`. Stricter than the reader: it refuses extra keys, which the reader drops. Always the same objects, by which their digests are kept. */
export const planJsonSchema: () => object = once(() => asJsonSchema(planSchema))
export const reviewJsonSchema: () => object = once(() => asJsonSchema(reviewSchema))
export const gateVerdictJsonSchema: () => object = once(() => asJsonSchema(gateVerdictSchema))

export type PlanResult = { readonly ok: true; readonly plan: Plan } | { readonly ok: false; readonly errors: string[] }
export type ReviewResult =
  | { readonly ok: true; readonly review: Review }
  | { readonly ok: false; readonly errors: string[] }

/** Reads a plan. Errors name each missing field, duplicate id, unknown dependency and cycle, at most 20 of them. */
export function parsePlan(result: AgentResult): PlanResult {
  const read = readPlan(result)
  if (!read.ok) return read
  const errors = graphErrors(read.plan.workItems)
  return errors.length > 0 ? { ok: false, errors } : read
}

/** Its fields only: for items that come to others, on which they may depend. */
export function readPlan(result: AgentResult): PlanResult {
  const read = parseAnswer(result, planSchema)
  return read.ok ? { ok: true, plan: read.value } : read
}

/** Reads a verdict. Prose, a score out of range or a missing verdict are errors, never an approval. */
export function parseReview(result: AgentResult): ReviewResult {
  const read = parseAnswer(result, reviewSchema)
  return read.ok ? { ok: true, review: read.value } : read
}

/** What a reviewer answers when asked for one gate. */
export interface GateVerdict {
  readonly passed: boolean
  readonly score: number
  readonly label?: string
  readonly explanation: string
  readonly evidence?: string
}
export type GateVerdictResult =
  | { readonly ok: true; readonly verdict: GateVerdict }
  | { readonly ok: false; readonly errors: string[] }

/** Reads the verdict of a reviewer asked for one gate; nothing is guessed. */
export function parseGateVerdict(result: AgentResult): GateVerdictResult {
  const read = parseAnswer(result, gateVerdictSchema)
  if (!read.ok) return read
  const { label, evidence, ...verdict } = read.value
  return {
    ok: true,
    verdict: { ...verdict, ...(label !== undefined && { label }), ...(evidence !== undefined && { evidence }) },
  }
}

/** `result.structured` when the executor gave it, else the JSON in `result.output`. */
export function extractAnswer(result: AgentResult, accepts?: (value: unknown) => boolean): JsonAnswer {
  if (result.structured !== undefined) return { found: true, value: result.structured }
  return findJson(result.output, accepts ? { accepts } : {})
}

function parseAnswer<T>(result: AgentResult, schema: z.ZodType<T>) {
  const answer = extractAnswer(result, (value) => schema.safeParse(value).success)
  return answer.found ? check(schema, answer.value) : { ok: false as const, errors: [answer.reason] }
}

type Node = Pick<PlannedWorkItem, 'id' | 'dependencies'>

/** Why these items could never all be done, beside `known` ones: an id given twice, an unknown dependency, a cycle. At most 20. */
export function graphErrors(items: readonly Node[], known: readonly string[] = []): string[] {
  const ids = new Set([...known, ...items.map(({ id }) => id)])
  return limited([
    ...duplicates(items),
    ...items.flatMap((item, index) => unknownDependencies(item, index, ids)),
    ...cycles(items),
  ])
}

function duplicates(items: readonly Node[]): string[] {
  const first = new Map<string, number>()
  return items.flatMap(({ id }, index) => {
    const earlier = first.get(id)
    if (earlier === undefined) first.set(id, index)
    return earlier === undefined
      ? []
      : [`workItems[${index}].id: "${id}" is already the id of workItems[${earlier}]; ids must differ`]
  })
}

function unknownDependencies(item: Node, index: number, ids: ReadonlySet<string>): string[] {
  return item.dependencies.flatMap((id, at) =>
    ids.has(id)
      ? []
      : [`workItems[${index}].dependencies[${at}]: no work item has the id "${id}"; add it or remove the dependency`],
  )
}

/** Each cycle once, as the path around it. */
function cycles(items: readonly Node[]): string[] {
  const dependencies = new Map<string, string[]>()
  for (const item of items) dependencies.set(item.id, [...(dependencies.get(item.id) ?? []), ...item.dependencies])
  const done = new Set<string>()
  const found: string[] = []
  const visit = (id: string, path: readonly string[]): void => {
    const start = path.indexOf(id)
    if (start !== -1) found.push([...path.slice(start), id].join(' → '))
    if (start !== -1 || done.has(id)) return
    for (const next of dependencies.get(id) ?? []) visit(next, [...path, id])
    done.add(id)
  }
  for (const id of dependencies.keys()) visit(id, [])
  return found.map(
    (path) => `dependencies: the work items depend on each other in a cycle: ${path}; remove one of these dependencies`,
  )
}

function asJsonSchema(schema: z.ZodType): object {
  const { $schema: _, ...json } = z.toJSONSchema(schema, {
    io: 'input',
    override: ({ jsonSchema }) => {
      if (jsonSchema.type === 'object') jsonSchema.additionalProperties = false
    },
  })
  return json
}
