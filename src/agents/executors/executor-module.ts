import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { DuologError } from '../../core/errors.ts'
import type { AgentExecutor } from '../executor.ts'

/** Options of {@link loadExecutorModule}. */
export interface LoadExecutorOptions {
  /** How long loading and the function may take. Default 30,000. */
  readonly loadTimeoutMs?: number
}

/**
 * Loads the executor a module offers as its default export: an `AgentExecutor`, a class of one, or a function (async or
 * not) that returns one. Takes .mjs, .js, .cjs, and .ts where Node strips types (22.18 and later without a flag).
 *
 * @param path relative to the current folder
 * @throws DuologError EXECUTOR_INVALID: no such file, no default export, the wrong shape, or it throws while loading
 * (then with the error as `cause`)
 */
export async function loadExecutorModule(path: string, options: LoadExecutorOptions = {}): Promise<AgentExecutor> {
  const file = resolve(path)
  await mustBeFile(file)
  const loading = load(file)
  return within(loading, options.loadTimeoutMs ?? 30_000, file)
}

async function load(file: string): Promise<AgentExecutor> {
  const made = await make(file, defaultExportOf(await importModule(file), file))
  if (isExecutor(made)) return made
  throw invalid(
    file,
    `its default export gives ${describe(made)}, not an AgentExecutor: give an object with execute(request, context)`,
  )
}

async function mustBeFile(file: string): Promise<void> {
  const found = await stat(file).catch(() => undefined)
  if (!found) throw invalid(file, 'there is no such file: check the path, it is relative to the current folder')
  if (!found.isFile()) throw invalid(file, 'it is not a file: name the module itself')
}

async function importModule(file: string): Promise<object> {
  try {
    return (await import(pathToFileURL(file).href)) as object
  } catch (cause) {
    if ((cause as { code?: unknown } | null)?.code === 'ERR_UNKNOWN_FILE_EXTENSION') {
      throw invalid(file, 'this Node cannot load it: use .mjs, .js or .cjs, or Node 22.18 or later for .ts', cause)
    }
    throw invalid(file, `it fails while it is loaded: ${messageOf(cause)}`, cause)
  }
}

/** A CommonJS file compiled from ESM has its default export one level down. */
function defaultExportOf(module: object, file: string): unknown {
  const exported = 'default' in module ? module.default : undefined
  const inner = exported !== null && typeof exported === 'object' && '__esModule' in exported ? exported : undefined
  const found = inner && 'default' in inner ? inner.default : exported
  if (found !== undefined && found !== null && !isEmptyObject(found)) return found
  throw invalid(file, 'it has no default export: add "export default { async execute(request, context) { … } }"')
}

/** What Node gives for a CommonJS file that exports nothing. */
function isEmptyObject(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    Object.getPrototypeOf(value) === Object.prototype &&
    Object.keys(value as object).length === 0
  )
}

async function make(file: string, exported: unknown): Promise<unknown> {
  if (typeof exported !== 'function') return exported
  try {
    if (isExecutor(exported.prototype)) return Reflect.construct(exported, [])
    return await (exported as () => unknown)()
  } catch (cause) {
    throw invalid(file, `the function it exports fails: ${messageOf(cause)}`, cause)
  }
}

function isExecutor(value: unknown): value is AgentExecutor {
  return typeof value === 'object' && value !== null && 'execute' in value && typeof value.execute === 'function'
}

async function within<T>(loading: Promise<T>, timeoutMs: number, file: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(invalid(file, `it is not loaded after ${timeoutMs} ms: look for an await that never ends`)),
      timeoutMs,
    )
  })
  try {
    return await Promise.race([loading, late])
  } finally {
    clearTimeout(timer)
  }
}

function invalid(file: string, problem: string, cause?: unknown): DuologError {
  return new DuologError('EXECUTOR_INVALID', `Executor module ${file} cannot be used: ${problem}.`, { cause })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`
}
