import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { DuologError, type DuologErrorCode } from '../core/errors.ts'
import { messageOf } from '../core/message-of.ts'

/** What a user's module is loaded for, in the words of its errors. */
export interface ModuleKind {
  readonly code: DuologErrorCode
  /** `Executor module`. */
  readonly name: string
  /** What to add where there is no default export. */
  readonly example: string
  readonly loadTimeoutMs: number
}

/** Says of this file what is wrong with it. */
export type Invalid = (problem: string, cause?: unknown) => DuologError

/**
 * Loads a module and makes of its default export what is wanted. Takes .mjs, .js, .cjs, and .ts where Node strips types
 * (22.18 and later without a flag).
 *
 * @param path relative to the current folder
 */
export async function loadModuleFile<T>(
  path: string,
  kind: ModuleKind,
  make: (exported: unknown, invalid: Invalid) => T | Promise<T>,
): Promise<T> {
  const file = resolve(path)
  const invalid: Invalid = (problem, cause) =>
    new DuologError(kind.code, `${kind.name} ${file} cannot be used: ${problem}.`, { cause })
  await mustBeFile(file, invalid)
  const load = async () => make(defaultExportOf(await importModule(file, invalid), kind, invalid), invalid)
  return within(load(), kind.loadTimeoutMs, invalid)
}

async function mustBeFile(file: string, invalid: Invalid): Promise<void> {
  const found = await stat(file).catch(() => undefined)
  if (!found) throw invalid('there is no such file: check the path, it is relative to the current folder')
  if (!found.isFile()) throw invalid('it is not a file: name the module itself')
}

async function importModule(file: string, invalid: Invalid): Promise<object> {
  try {
    return (await import(pathToFileURL(file).href)) as object
  } catch (cause) {
    if ((cause as { code?: unknown } | null)?.code === 'ERR_UNKNOWN_FILE_EXTENSION') {
      throw invalid('this Node cannot load it: use .mjs, .js or .cjs, or Node 22.18 or later for .ts', cause)
    }
    throw invalid(`it fails while it is loaded: ${messageOf(cause)}`, cause)
  }
}

/** A CommonJS file compiled from ESM has its default export one level down. */
function defaultExportOf(module: object, { example }: ModuleKind, invalid: Invalid): unknown {
  const exported = 'default' in module ? module.default : undefined
  const inner = exported !== null && typeof exported === 'object' && '__esModule' in exported ? exported : undefined
  const found = inner && 'default' in inner ? inner.default : exported
  if (found !== undefined && found !== null && !isEmptyObject(found)) return found
  throw invalid(`it has no default export: add "${example}"`)
}

/** What Node gives for a CommonJS file that exports nothing. */
function isEmptyObject(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    Object.getPrototypeOf(value) === Object.prototype &&
    Object.keys(value as object).length === 0
  )
}

async function within<T>(loading: Promise<T>, timeoutMs: number, invalid: Invalid): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(invalid(`it is not loaded after ${timeoutMs} ms: look for an await that never ends`)),
      timeoutMs,
    )
  })
  try {
    return await Promise.race([loading, late])
  } finally {
    clearTimeout(timer)
  }
}

export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`
}
