import { messageOf } from '../../core/message-of.ts'
import { aText, checkArgument, checkOptions, integerFrom, optional } from '../check-options.ts'
import type { AgentExecutor } from '../executor.ts'
import { describe, type Invalid, loadModuleFile } from '../module-file.ts'

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
  checkArgument('path', path, aText)
  checkOptions('options of loadExecutorModule', options, { loadTimeoutMs: optional(integerFrom(1)) })
  const { loadTimeoutMs = 30_000 } = options
  const example = 'export default { async execute(request, context) { … } }'
  return loadModuleFile(path, { code: 'EXECUTOR_INVALID', name: 'Executor module', example, loadTimeoutMs }, executorOf)
}

async function executorOf(exported: unknown, invalid: Invalid): Promise<AgentExecutor> {
  const made = await make(exported, invalid)
  if (isExecutor(made)) return made
  throw invalid(
    `its default export gives ${describe(made)}, not an AgentExecutor: give an object with execute(request, context)`,
  )
}

async function make(exported: unknown, invalid: Invalid): Promise<unknown> {
  if (typeof exported !== 'function') return exported
  try {
    if (isExecutor(exported.prototype)) return Reflect.construct(exported, [])
    return await (exported as () => unknown)()
  } catch (cause) {
    throw invalid(`the function it exports fails: ${messageOf(cause)}`, cause)
  }
}

function isExecutor(value: unknown): value is AgentExecutor {
  return typeof value === 'object' && value !== null && 'execute' in value && typeof value.execute === 'function'
}
