/*
 * An executor that plays a script: for tests, demos and learning, without an account. It keeps nothing between calls:
 * the answer to a request depends on the script and the request alone, so a run that was killed and resumed, in
 * whatever process, gets the same answers.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { DuologError } from '../../core/errors.ts'
import { reach } from '../../core/reach.ts'
import { aText, checkOptions, optional, type Shape } from '../check-options.ts'
import {
  type AgentContext,
  type AgentExecutor,
  type AgentRequest,
  type AgentResult,
  ExecutorFailedError,
  type PaidFor,
} from '../executor.ts'
import { writeInside } from './inside-folder.ts'
import { journaledExecutor } from './journal.ts'
import {
  type LoadedScript,
  loadScript,
  type Script,
  type ScriptedCosts,
  type ScriptedError,
  type ScriptedFile,
  type ScriptedItem,
  type ScriptInput,
} from './script.ts'

/** Options of {@link scriptedExecutor}. */
export interface ScriptedExecutorOptions {
  /** What `from` of a scripted file is relative to. Default: the folder of the script file, else the current folder. */
  readonly baseDir?: string
  /** Records every execution, see `journaledExecutor`. Default: the environment variable DUOLOG_EXECUTOR_JOURNAL. */
  readonly journalFile?: string
}

const OPTIONS: Shape<ScriptedExecutorOptions> = { baseDir: optional(aText), journalFile: optional(aText) }

/** What the script says about one request. */
type Scripted =
  | { readonly kind: 'text'; readonly output: string; readonly costs: ScriptedCosts }
  | { readonly kind: 'data'; readonly structured: object; readonly costs: ScriptedCosts }
  | {
      readonly kind: 'files'
      readonly output: string
      readonly files: Record<string, ScriptedFile>
      readonly costs: ScriptedCosts
    }
  | { readonly kind: 'error'; readonly error: ScriptedError; readonly costs: ScriptedCosts }

/**
 * Plays a script: an object, or the path of a JSON file. The n-th answer is for attempt n; the last one repeats. An
 * error entry makes one try of the attempt fail that the next entry answers.
 * Files are written into the request's work directory, after the delay and before the answer.
 *
 * Calls reject with ABORTED when the signal fires, with EXECUTOR_FAILED where the script says 'error', and with
 * SCRIPT_INVALID when a work item is asked for that the script does not have.
 *
 * @throws DuologError SCRIPT_INVALID at once, when the script cannot be used
 */
export function scriptedExecutor(script: string | ScriptInput, options: ScriptedExecutorOptions = {}): AgentExecutor {
  checkOptions('options of scriptedExecutor', options, OPTIONS)
  const loaded = loadScript(script, options.baseDir)
  const executor: AgentExecutor = { execute: (request, context) => play(loaded, request, context) }
  const journalFile = options.journalFile ?? process.env.DUOLOG_EXECUTOR_JOURNAL
  return journalFile ? journaledExecutor(executor, journalFile) : executor
}

async function play(loaded: LoadedScript, request: AgentRequest, context: AgentContext): Promise<AgentResult> {
  const scripted = lookUp(loaded, request)
  reach('executor.scripted.started')
  await pause(scripted.costs.delayMs ?? 0, context.signal)
  reach('executor.scripted.working')
  if (scripted.kind === 'error') {
    const { output, retry } = scripted.error
    throw new ExecutorFailedError(output, { retry, paidFor: paidFor(scripted.costs) })
  }
  const artifacts = scripted.kind === 'files' ? await writeFiles(loaded, scripted.files, { request, context }) : []
  reach('executor.scripted.finished')
  return { ...answer(scripted), ...paidFor(scripted.costs), ...(artifacts.length > 0 ? { artifacts } : {}) }
}

function answer(scripted: Exclude<Scripted, { kind: 'error' }>): AgentResult {
  if (scripted.kind !== 'data') return { output: scripted.output }
  return { output: JSON.stringify(scripted.structured, null, 2), structured: scripted.structured }
}

function paidFor({ costUsd = 0, usage }: ScriptedCosts): PaidFor {
  if (!usage) return { costUsd }
  const { inputTokens, outputTokens } = usage
  return {
    costUsd,
    usage: {
      ...(inputTokens === undefined ? {} : { inputTokens }),
      ...(outputTokens === undefined ? {} : { outputTokens }),
    },
  }
}

async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  try {
    if (delayMs > 0) await delay(delayMs, undefined, { signal })
    signal.throwIfAborted()
  } catch (cause) {
    throw aborted(cause)
  }
}

function aborted(cause: unknown): DuologError {
  return new DuologError('ABORTED', 'The call was stopped before its script came to an end.', { cause })
}

async function writeFiles(
  loaded: LoadedScript,
  files: Record<string, ScriptedFile>,
  { request, context }: { request: AgentRequest; context: AgentContext },
): Promise<string[]> {
  for (const [path, file] of Object.entries(files)) {
    if (context.signal.aborted) throw aborted(context.signal.reason)
    await writeInside(request.workDir, path, loaded.contentOf(file))
    context.progress({ message: `wrote ${path}` })
  }
  return Object.keys(files)
}

function lookUp(loaded: LoadedScript, request: AgentRequest): Scripted {
  const scripted = entryFor(loaded, request)
  const { delayMs, costUsd, usage } = scripted.costs
  const fallback = loaded.script.defaults[request.purpose]
  return { ...scripted, costs: { delayMs: delayMs ?? fallback?.delayMs, costUsd: costUsd ?? fallback?.costUsd, usage } }
}

function entryFor({ script, name }: LoadedScript, request: AgentRequest): Scripted {
  if (request.purpose === 'plan') return scriptedPlan(entryOf(script.plans, request), name)
  const item = request.workItemId === undefined ? undefined : script.items[request.workItemId]
  if (item === undefined) throw unscripted(name, `it has no work item "${request.workItemId}"; add it to "items"`)
  if (request.purpose === 'review') return scriptedReview(entryOf(item.reviews, request), name)
  return scriptedWork(entryOf(item.attempts, request), request, name)
}

function scriptedPlan(entry: Script['plans'][number] | undefined, name: string): Scripted {
  if (entry === undefined) throw unscripted(name, 'it has no plan; add one to "plans"')
  if (typeof entry === 'string') return { kind: 'text', output: entry, costs: {} }
  if ('outcome' in entry) return { kind: 'error', error: entry, costs: entry }
  const { strategy, workItems } = entry
  return { kind: 'data', structured: { strategy, workItems }, costs: entry }
}

function scriptedWork(
  entry: ScriptedItem['attempts'][number] | undefined,
  request: AgentRequest,
  name: string,
): Scripted {
  if (entry === undefined) throw unscripted(name, `"${request.workItemId}" has no attempts; add one`)
  if (entry.outcome === 'error') return { kind: 'error', error: entry, costs: entry }
  const output = entry.output ?? `${request.workItemId}: attempt ${request.attempt} done`
  return { kind: 'files', output, files: entry.files, costs: entry }
}

function scriptedReview(entry: ScriptedItem['reviews'][number] | undefined, name: string): Scripted {
  if (entry === undefined) throw unscripted(name, 'a work item has no reviews; add one')
  if (typeof entry === 'string') return { kind: 'text', output: entry, costs: {} }
  if ('outcome' in entry) return { kind: 'error', error: entry, costs: entry }
  const { approved, score: qualityScore, feedback, recommendations } = entry
  return { kind: 'data', structured: { approved, qualityScore, feedback, recommendations }, costs: entry }
}

function unscripted(name: string, problem: string): DuologError {
  return new DuologError('SCRIPT_INVALID', `The script ${name} cannot answer this call: ${problem}.`)
}

/**
 * An error entry is a failed try of the attempt that the next entry answers: of `[error, first, second]`, attempt 1
 * fails once and then answers `first`. A call repeated after a kill thus never skips an answer.
 */
function entryOf<T>(entries: readonly T[], request: AgentRequest): T | undefined {
  const attempts: T[][] = []
  for (const [index, entry] of entries.entries()) {
    if (index > 0 && isError(entries[index - 1])) attempts.at(-1)?.push(entry)
    else attempts.push([entry])
  }
  return nth(nth(attempts, request.attempt) ?? [], request.try ?? 1)
}

function isError(entry: unknown): boolean {
  return typeof entry === 'object' && entry !== null && 'outcome' in entry && entry.outcome === 'error'
}

/** Counted from 1; the last one repeats. */
function nth<T>(list: readonly T[], n: number): T | undefined {
  return list[Math.min(n, list.length) - 1]
}
