/*
 * Recorded calls as a fixture: a JSON file that tests replay without paying.
 *
 * A recording answers a request that asks the same: purpose, work item, attempt, prompt, output schema, model and allowed
 * tools count. What belongs to one run does not: ids of session and call, work directory, time limit, budget, resume.
 * Several recordings of one request are its tries, in order; the last one repeats.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import * as z from 'zod'
import { DuologError } from '../../core/errors.ts'
import { usageSchema } from '../call-facts.ts'
import type { AgentRequest } from '../executor.ts'
import { check } from '../explain-issues.ts'
import { type Redact, redactJson } from '../redact.ts'
import { CREATED_BY } from '../version.ts'
import { changesSchema } from './result-changes.ts'

const CASSETTE_FORMAT = 'duolog-cassette'
const CASSETTE_VERSION = 1

const requestSchema = z.strictObject({
  purpose: z.enum(['plan', 'work', 'review']),
  workItemId: z.string().optional(),
  attempt: z.int().positive(),
  prompt: z.string(),
  outputSchema: z.record(z.string(), z.json()).optional(),
  model: z.string().optional(),
  allowedTools: z.array(z.string()).optional(),
})

const usage = usageSchema.strict()

const resultSchema = z.strictObject({
  output: z.string(),
  fullOutputChars: z.int().optional(),
  structured: z.json().optional(),
  usage: usage.optional(),
  costUsd: z.number().nonnegative().optional(),
  costUnknown: z.literal(true).optional(),
  executorSessionId: z.string().optional(),
  artifacts: z.array(z.string()).optional(),
  changes: changesSchema.optional(),
})

const errorSchema = z.strictObject({
  code: z.string(),
  message: z.string(),
  retry: z.union([z.enum(['never', 'now']), z.strictObject({ afterMs: z.number().nonnegative() })]),
  paidFor: z
    .strictObject({
      costUsd: z.number().nonnegative().optional(),
      costUnknown: z.literal(true).optional(),
      usage: usage.optional(),
      executorSessionId: z.string().optional(),
    })
    .optional(),
})

const recordingSchema = z.strictObject({
  /** Digest of the request as it was, before secrets were taken out of what stands here. */
  key: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits'),
  request: requestSchema,
  /** The call was asked in words that were not known when this was written; the key is of the true ones. */
  wordingUnknown: z.literal(true).optional(),
  outcome: z.union([z.strictObject({ result: resultSchema }), z.strictObject({ error: errorSchema })]),
})

/** What a cassette file must look like. */
export const cassetteSchema = z.strictObject({
  format: z.literal(CASSETTE_FORMAT),
  version: z.literal(CASSETTE_VERSION, `must be ${CASSETTE_VERSION}: this cassette needs another version of duolog`),
  recordedBy: z.string(),
  recordings: z.array(recordingSchema),
})

/** Recorded calls, as they stand in a file. */
export type Cassette = z.infer<typeof cassetteSchema>
/** One recorded call. */
export type Recording = Cassette['recordings'][number]
/** What of a request decides which recording answers it. */
export type RecordedRequest = Recording['request']

/** A cassette of these recordings. */
export function cassetteOf(recordings: readonly Recording[]): Cassette {
  return { format: CASSETTE_FORMAT, version: CASSETTE_VERSION, recordedBy: CREATED_BY, recordings: [...recordings] }
}

/** @throws CASSETTE_INVALID naming the file and each place that is wrong */
export function loadCassette(cassette: string | Cassette): Cassette {
  const name = typeof cassette === 'string' ? cassette : 'given'
  const input = typeof cassette === 'string' ? readJson(cassette) : cassette
  const checked = check(cassetteSchema, input)
  if (checked.ok) return checked.value
  throw invalid(name, checked.errors.join('; '))
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw invalid(path, `cannot be read as JSON: ${(cause as Error).message}`, cause)
  }
}

function invalid(name: string, problem: string, cause?: unknown): DuologError {
  const advice = 'Record it again: duolog cassette SESSION > FILE'
  return new DuologError('CASSETTE_INVALID', `The cassette ${name} cannot be used: ${problem}. ${advice}`, { cause })
}

/** What counts of a request, and nothing else. */
export function recordedRequestOf(request: AgentRequest): RecordedRequest {
  const { purpose, workItemId, attempt, prompt, outputSchema, model, allowedTools } = request
  return {
    purpose,
    ...(workItemId === undefined ? {} : { workItemId }),
    attempt,
    prompt,
    ...(outputSchema === undefined ? {} : { outputSchema: outputSchema as RecordedRequest['outputSchema'] }),
    ...(model === undefined ? {} : { model }),
    ...(allowedTools === undefined ? {} : { allowedTools: [...allowedTools] }),
  }
}

/** The same for two requests that ask the same, whatever the order of their keys. */
export function keyOf({ outputSchema, ...request }: RecordedRequest): string {
  const fields = outputSchema === undefined ? [] : [['outputSchema', schemaJson(outputSchema)] as const]
  return createHash('sha256').update(canonicalObject(request, fields)).digest('hex')
}

/** One schema comes with every call of a purpose, and is longer than all the rest. */
const schemaTexts = new WeakMap<object, string>()

function schemaJson(schema: object): string {
  const known = schemaTexts.get(schema)
  if (known !== undefined) return known
  const text = canonicalJson(schema)
  schemaTexts.set(schema, text)
  return text
}

/** The key is of the true request, the rest is redacted. */
export function recordingOf(request: AgentRequest, outcome: Recording['outcome'], redact: Redact): Recording {
  const recorded = recordedRequestOf(request)
  return {
    key: keyOf(recorded),
    request: redactJson(recorded, redact) as RecordedRequest,
    outcome: redactJson(JSON.parse(JSON.stringify(outcome)), redact) as Recording['outcome'],
  }
}

export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  return canonicalObject(value)
}

/** `texts`: further fields, canonical already. */
function canonicalObject(value: object, texts: readonly (readonly [string, string])[] = []): string {
  const fields = Object.entries(value).filter(([, entry]) => entry !== undefined)
  const all = [...fields.map(([key, entry]) => [key, canonicalJson(entry)] as const), ...texts]
  const sorted = all.sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${sorted.map(([key, text]) => `${JSON.stringify(key)}:${text}`).join(',')}}`
}
