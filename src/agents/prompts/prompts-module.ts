import { isDuologError } from '../../core/errors.ts'
import { describe, type Invalid, loadModuleFile } from '../module-file.ts'
import { type OwnPrompts, promptsWith } from './session-prompts.ts'

const KIND = {
  code: 'INVALID_ARGUMENT',
  name: 'Prompts module',
  example: 'export default { work: { version: "mine-1", render: (input) => … } }',
  loadTimeoutMs: 30_000,
} as const

/**
 * Loads the prompts a module offers as its default export: an object with any of `plan`, `work`, `review`, `gate`.
 *
 * @param path relative to the current folder
 * @throws DuologError INVALID_ARGUMENT, naming the file and the field: no such file, no default export, the wrong shape, or
 * it throws while loading
 */
export async function loadPromptsModule(path: string): Promise<OwnPrompts> {
  return loadModuleFile(path, KIND, checked)
}

function checked(exported: unknown, invalid: Invalid): OwnPrompts {
  if (typeof exported !== 'object' || exported === null || Array.isArray(exported)) {
    throw invalid(`its default export is ${describe(exported)}: add "${KIND.example}"`)
  }
  try {
    promptsWith(exported)
  } catch (cause) {
    if (isDuologError(cause)) throw invalid(cause.message, cause)
    throw cause
  }
  return { ...exported }
}
