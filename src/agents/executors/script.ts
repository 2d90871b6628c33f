/*
 * The script of a scripted executor: what a plan, each attempt and each review answers, takes and costs. All of it is
 * checked when it is loaded, so that no run stops half-way over a misspelt id.
 */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import * as z from 'zod'
import { DuologError } from '../../core/errors.ts'
import { check } from '../explain-issues.ts'
import { parsePlan, plannedWorkItemSchema, planSchema } from '../structured-output.ts'
import { problemOfRelativePath } from './inside-folder.ts'

const MAX_DELAY_MS = 86_400_000

const timing = {
  /** How long the call takes, at most a day. Default: that of its purpose in `defaults`, else 0. */
  delayMs: z.int().min(0, 'must not be negative').max(MAX_DELAY_MS, `must be at most ${MAX_DELAY_MS}`).optional(),
  /** What the call costs, also when it fails. Default: that of its purpose in `defaults`, else 0. */
  costUsd: z.number().min(0, 'must not be negative').optional(),
}
const usage = z
  .strictObject({ inputTokens: z.int().min(0).optional(), outputTokens: z.int().min(0).optional() })
  .optional()
const costs = { ...timing, usage }

const scriptedError = z.strictObject({
  outcome: z.literal('error'),
  /** What the error says. */
  output: z.string().default('The script makes this call fail.'),
  /** The error's advice to its caller. */
  retry: z.union([z.enum(['never', 'now']), z.strictObject({ afterMs: z.int().min(0) })]).default('now'),
  ...costs,
})

const scriptedFile = z.union([z.strictObject({ from: z.string().min(1) }), z.strictObject({ text: z.string() })], {
  error: 'must be { "from": "a file, relative to the script" } or { "text": "the content" }',
})

const scriptedAttempt = z.strictObject({
  outcome: z.literal('done').default('done'),
  /** Default: `<item>: attempt <n> done`. */
  output: z.string().optional(),
  /** Written into the work directory; keys are paths relative to it. */
  files: z.record(z.string(), scriptedFile).default({}),
  ...costs,
})

const scriptedPlan = planSchema
  .extend({
    workItems: z.array(plannedWorkItemSchema.strict()).min(1, 'is empty: plan at least one work item'),
    ...costs,
  })
  .strict()

const scriptedReview = z.strictObject({
  approved: z.boolean(),
  score: z.number().min(0, 'must be from 0 to 1').max(1, 'must be from 0 to 1'),
  feedback: z.array(z.string()).default([]),
  recommendations: z.array(z.string()).default([]),
  ...costs,
})

const scriptedItem = z.strictObject({
  /** One for each attempt; the last one repeats. */
  attempts: z.array(z.union([scriptedAttempt, scriptedError])).min(1, 'must hold at least one attempt'),
  /** One for each attempt that is reviewed; the last one repeats. Left out: approved with score 1. */
  reviews: z
    .array(z.union([z.string(), scriptedReview, scriptedError]))
    .min(1, 'must hold at least one review; leave it out to approve every attempt')
    .default([{ approved: true, score: 1, feedback: [], recommendations: [] }]),
})

/** Where a plan or a review may be a text, the text is the answer as it is: for answers that do not parse. */
export const scriptSchema = z.strictObject({
  $schema: z.string().optional(),
  description: z.string().optional(),
  /** For entries that do not say it themselves, by the purpose of the call. */
  defaults: z
    .strictObject({
      plan: z.strictObject(timing).default({}),
      work: z.strictObject(timing).default({}),
      review: z.strictObject(timing).default({}),
    })
    .partial()
    .default({}),
  /** One for each time a plan is asked for; the last one repeats. */
  plans: z.array(z.union([z.string(), scriptedPlan, scriptedError])).default([]),
  /** By work item id: every item of every plan, and no other. */
  items: z.record(z.string(), scriptedItem).default({}),
})

/** As it is written: what has a default may be left out. */
export type ScriptInput = z.input<typeof scriptSchema>
/** As it is run: checked, defaults filled in. */
export type Script = z.infer<typeof scriptSchema>
export type ScriptedItem = z.infer<typeof scriptedItem>
export type ScriptedFile = z.infer<typeof scriptedFile>
export type ScriptedError = z.infer<typeof scriptedError>
export type ScriptedCosts = z.infer<z.ZodObject<typeof costs>>

export interface LoadedScript {
  readonly script: Script
  /** What error messages call it. */
  readonly name: string
  /** The content of a scripted file. */
  contentOf(file: ScriptedFile): string | Buffer
}

/**
 * Reads and checks a script, with all the files it names.
 *
 * @param baseDir what `from` is relative to; default: the folder of the script file, else the current folder
 * @throws DuologError SCRIPT_INVALID names the file, each wrong place in it and what to put there
 */
export function loadScript(source: string | ScriptInput, baseDir?: string): LoadedScript {
  const name = typeof source === 'string' ? source : 'given as an object'
  const checked = check(scriptSchema, typeof source === 'string' ? readJson(source) : source)
  if (!checked.ok) throw invalid(name, checked.errors)
  const folder = baseDir ?? (typeof source === 'string' ? dirname(resolve(source)) : process.cwd())
  const contents = new Map<string, Buffer>()
  const errors = [...itemErrors(checked.value), ...fileErrors(checked.value, folder, contents)]
  if (errors.length > 0) throw invalid(name, errors)
  const contentOf = (file: ScriptedFile) => ('text' in file ? file.text : (contents.get(file.from) ?? ''))
  return { script: checked.value, name, contentOf }
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8').replace(/^\uFEFF/, ''))
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT') throw invalid(path, ['there is no such file: check the path'], cause)
    throw invalid(path, [code ? `it cannot be read: ${message}` : `it is not JSON: ${message}`], cause)
  }
}

function invalid(name: string, errors: string[], cause?: unknown): DuologError {
  const list = errors.map((error) => `\n  - ${error}`).join('')
  return new DuologError('SCRIPT_INVALID', `Script ${name} cannot be used. Put this right and start again:${list}`, {
    cause,
  })
}

/** Every plan is a valid graph; the script holds every planned item and no other. */
function itemErrors(script: Script): string[] {
  const plans = script.plans.map(readPlan)
  const planned = new Set(plans.flatMap(({ ids }) => ids))
  const strangers = Object.keys(script.items).filter((id) => planned.size > 0 && !planned.has(id))
  const missing = [...planned].filter((id) => script.items[id] === undefined)
  return [
    ...plans.flatMap(({ errors }, index) => errors.map((error) => `plans[${index}].${error}`)),
    ...strangers.map(
      (id) =>
        `items["${id}"]: no plan has a work item "${id}" (planned: ${[...planned].join(', ')}); rename or remove it`,
    ),
    ...missing.map((id) => `items: the planned work item "${id}" is missing; add items["${id}"] with its attempts`),
  ]
}

function readPlan(plan: Script['plans'][number]): { ids: string[]; errors: string[] } {
  if (typeof plan === 'string') {
    const parsed = parsePlan({ output: plan })
    return { ids: parsed.ok ? parsed.plan.workItems.map(({ id }) => id) : [], errors: [] }
  }
  if ('outcome' in plan) return { ids: [], errors: [] }
  const parsed = parsePlan({ output: '', structured: plan })
  return { ids: plan.workItems.map(({ id }) => id), errors: parsed.ok ? [] : parsed.errors }
}

function fileErrors(script: Script, folder: string, contents: Map<string, Buffer>): string[] {
  return Object.entries(script.items).flatMap(([id, item]) =>
    item.attempts.flatMap((attempt, index) =>
      Object.entries('files' in attempt ? attempt.files : {}).flatMap(([path, file]) => {
        const place = `items["${id}"].attempts[${index}].files["${path}"]`
        const problem =
          problemOfRelativePath(path) ?? ('from' in file ? readInto(contents, folder, file.from) : undefined)
        return problem ? [`${place}: ${problem}`] : []
      }),
    ),
  )
}

function readInto(contents: Map<string, Buffer>, folder: string, from: string): string | undefined {
  try {
    contents.set(from, readFileSync(resolve(folder, from)))
    return undefined
  } catch (error) {
    return `"from" names "${from}", which cannot be read in ${folder}: ${(error as Error).message}`
  }
}
