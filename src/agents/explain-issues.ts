import type * as z from 'zod'
import { didYouMean } from '../core/did-you-mean.ts'
import { DuologError } from '../core/errors.ts'

export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  /** Each names its place (`workItems[2].title: …`) and what to put there. */
  | { readonly ok: false; readonly errors: string[] }

const MAX_ERRORS = 20

/** Validates outside input (an agent's answer, a script file) so that whoever wrote it can put it right from the errors. */
export function check<T>(schema: z.ZodType<T>, input: unknown): Checked<T> {
  const parsed = schema.safeParse(input, { error: (issue) => explain(issue) })
  if (parsed.success) return { ok: true, value: parsed.data }
  return { ok: false, errors: limited(parsed.error.issues.flatMap(describe)) }
}

/** As {@link check}, each place named from `label` on. @throws INVALID_ARGUMENT */
export function checked<T>(label: string, schema: z.ZodType<T>, input: unknown): T {
  const parsed = schema.safeParse(input, { error: (issue) => explain(issue) })
  if (parsed.success) return parsed.data
  const errors = parsed.error.issues.flatMap((issue) => describe({ ...issue, path: [label, ...issue.path] }))
  throw new DuologError('INVALID_ARGUMENT', limited(errors).join('; '))
}

/** At most 20, and how many more there are. */
export function limited(errors: string[]): string[] {
  if (errors.length <= MAX_ERRORS) return errors
  return [...errors.slice(0, MAX_ERRORS), `and ${errors.length - MAX_ERRORS} more errors`]
}

/** `["workItems", 2, "title"]` → `workItems[2].title`. */
export function pathOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`
    const name = String(part)
    if (!/^[\w$-]+$/.test(name)) return `${text}[${JSON.stringify(name)}]`
    return text === '' ? name : `${text}.${name}`
  }, '')
}

function describe(issue: z.core.$ZodIssue): string[] {
  if (issue.code === 'invalid_union' && issue.message === 'Invalid input') return closestBranch(issue)
  return [`${pathOf(issue.path) || 'the whole value'}: ${issue.message}`]
}

/** Of a union, the errors of the one kind that was meant: the input has its type and, where it names its kind, its name. */
function closestBranch(issue: z.core.$ZodIssueInvalidUnion): string[] {
  const meant = issue.errors.filter((branch) => !branch.some(isOtherKind))
  const [only] = meant
  if (only && meant.length === 1) {
    return only.flatMap((inner) => describe({ ...inner, path: [...issue.path, ...inner.path] }))
  }
  const messages = new Set(issue.errors.flat().map((inner) => inner.message))
  return [`${pathOf(issue.path) || 'the whole value'}: ${[...messages].join(', or ')}`]
}

function isOtherKind(issue: z.core.$ZodIssue): boolean {
  if (issue.code === 'invalid_type') return issue.path.length === 0
  return issue.code === 'invalid_value' && issue.values.length === 1
}

function explain(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'unrecognized_keys')
    return `unknown key ${issue.keys.map((key) => `"${key}"`).join(', ')}: remove it.${meant(issue)}`.replace(/\.$/, '')
  if (issue.code !== 'invalid_type') return undefined
  const wanted = `${/^[aeio]/.test(issue.expected) ? 'an' : 'a'} ${issue.expected}`
  return issue.input === undefined ? `is missing: give ${wanted}` : `must be ${wanted}, is ${kindOf(issue.input)}`
}

/** The name that was meant, where the object's schema has one like it. */
function meant({ keys, inst }: z.core.$ZodRawIssue<z.core.$ZodIssueUnrecognizedKeys>): string {
  const { shape = {} } = (inst?._zod.def ?? {}) as { readonly shape?: object }
  return keys.length === 1 ? didYouMean(keys[0]!, Object.keys(shape)) : ''
}

function kindOf(input: unknown): string {
  if (input === null) return 'null'
  if (Array.isArray(input)) return 'an array'
  if (typeof input === 'object') return 'an object'
  return typeof input === 'string' ? `the text ${shortened(input)}` : `${typeof input} ${String(input)}`
}

function shortened(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)
}
