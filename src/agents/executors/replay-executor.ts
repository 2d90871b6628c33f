import { DuologError, type DuologErrorCode } from '../../core/errors.ts'
import { type AgentExecutor, type AgentRequest, type AgentResult, ExecutorFailedError } from '../executor.ts'
import {
  type Cassette,
  canonicalJson,
  keyOf,
  loadCassette,
  type RecordedRequest,
  type Recording,
  recordedRequestOf,
} from './cassette.ts'

/**
 * Answers from a cassette (an object, or the path of a JSON file) and asks nobody. It keeps nothing between calls, and it
 * replays answers, not deeds: files that a recorded call wrote are not written again.
 *
 * A request without a recording rejects with CASSETTE_MISS (retry never), which names the nearest recording and what
 * differs.
 *
 * @throws DuologError CASSETTE_INVALID at once, when the cassette cannot be used
 */
export function replayExecutor(cassette: string | Cassette): AgentExecutor {
  const { recordings } = loadCassette(cassette)
  const tries = Map.groupBy(recordings, ({ key }) => key)
  // An answer loses its secrets when it is recorded, and a later question quotes it without them.
  const asWritten = Map.groupBy(recordings, ({ request }) => keyOf(request))
  return { execute: async (request, { signal }) => replay({ recordings, tries, asWritten }, request, signal) }
}

interface Loaded {
  readonly recordings: readonly Recording[]
  readonly tries: ReadonlyMap<string, readonly Recording[]>
  /** By the request as it stands in the file, without secrets. */
  readonly asWritten: ReadonlyMap<string, readonly Recording[]>
}

function replay(loaded: Loaded, request: AgentRequest, signal: AbortSignal): AgentResult {
  if (signal.aborted) throw new DuologError('ABORTED', 'The call was stopped.', { cause: signal.reason })
  const asked = recordedRequestOf(request)
  const key = keyOf(asked)
  const found = loaded.tries.get(key) ?? loaded.asWritten.get(key)
  if (found === undefined) throw miss(loaded.recordings, asked)
  const { outcome } = found[Math.min(request.try ?? 1, found.length) - 1]!
  if ('result' in outcome) return outcome.result as AgentResult
  throw recordedError(outcome.error)
}

function recordedError(error: Extract<Recording['outcome'], { error: unknown }>['error']): DuologError {
  const { code, message, retry, paidFor = {} } = error
  if (code !== 'EXECUTOR_FAILED') return new DuologError(code as DuologErrorCode, message, { retry })
  return new ExecutorFailedError(message, { retry, paidFor: paidFor as ExecutorFailedError['paidFor'] })
}

function miss(recordings: readonly Recording[], asked: RecordedRequest): DuologError {
  const nearest = recordings.map(({ request }, index) => ({ index, request, likeness: likenessOf(request, asked) }))
  const [best] = nearest.sort((a, b) => b.likeness - a.likeness || a.index - b.index)
  const hint =
    best === undefined
      ? 'It holds no recording'
      : `The nearest is recordings[${best.index}], ${nameOf(best.request)}; it differs in ${differences(best.request, asked)}`
  const advice = 'Record the session again, or undo the change that asks something else'
  return new DuologError('CASSETTE_MISS', `The cassette has no answer to ${nameOf(asked)}. ${hint}. ${advice}.`)
}

function nameOf({ purpose, workItemId, attempt }: RecordedRequest): string {
  return `${purpose}${workItemId === undefined ? '' : ` of "${workItemId}"`}, attempt ${attempt}`
}

const FIELDS = ['purpose', 'workItemId', 'attempt', 'model', 'allowedTools', 'outputSchema', 'prompt'] as const

/** What it is about counts more than how it is put. */
function likenessOf(recorded: RecordedRequest, asked: RecordedRequest): number {
  const weights = { purpose: 8, workItemId: 4, attempt: 2, model: 0.5, allowedTools: 0.5, outputSchema: 0.5, prompt: 1 }
  const same = FIELDS.filter((field) => !differs(recorded, asked, field))
  const prompt = commonStart(recorded.prompt, asked.prompt) / Math.max(1, asked.prompt.length, recorded.prompt.length)
  return prompt + same.reduce((sum, field) => sum + weights[field], 0)
}

function differs(recorded: RecordedRequest, asked: RecordedRequest, field: (typeof FIELDS)[number]): boolean {
  return canonicalJson(recorded[field]) !== canonicalJson(asked[field])
}

function differences(recorded: RecordedRequest, asked: RecordedRequest): string {
  const fields = FIELDS.filter((field) => differs(recorded, asked, field))
  return fields.map((field) => describeDifference(recorded, asked, field)).join('; ')
}

function describeDifference(recorded: RecordedRequest, asked: RecordedRequest, field: (typeof FIELDS)[number]): string {
  if (field === 'prompt') return describePrompts(recorded.prompt, asked.prompt)
  if (field === 'outputSchema') return 'outputSchema'
  return `${field} (recorded ${shown(recorded[field])}, asked ${shown(asked[field])})`
}

function shown(value: unknown): string {
  return value === undefined ? 'none' : canonicalJson(value)
}

const EXCERPT_CHARS = 60

function describePrompts(recorded: string, asked: string): string {
  const at = commonStart(recorded, asked)
  const excerpt = (text: string) => JSON.stringify(text.slice(Math.max(0, at - 10), at + EXCERPT_CHARS))
  return `prompt from character ${at + 1} on (recorded ${excerpt(recorded)}, asked ${excerpt(asked)})`
}

function commonStart(a: string, b: string): number {
  let at = 0
  while (at < a.length && at < b.length && a[at] === b[at]) at++
  return at
}
