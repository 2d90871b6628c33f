import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { DuologError } from '../core/errors.ts'

/** The folder the Worker works in, absolute. @throws WORKDIR_INVALID */
export async function existingWorkDir(path: string): Promise<string> {
  const folder = resolve(path)
  const found = await stat(folder).catch(() => undefined)
  if (found?.isDirectory()) return folder
  const problem = found === undefined ? 'does not exist: make it first, or name another' : 'is not a folder'
  throw new DuologError('WORKDIR_INVALID', `workdir: ${folder} ${problem}`)
}
