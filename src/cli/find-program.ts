import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { delimiter, join, resolve } from 'node:path'
import { DuologError } from '../core/errors.ts'

/**
 * Whether a program can be started, as `spawn` looks for it: by its path, or in the folders of PATH.
 * @throws EXECUTOR_INVALID saying what to put right. On Windows, where names have endings, the first call finds out.
 */
export async function checkProgram(command: string): Promise<void> {
  if (process.platform === 'win32') return
  const isPath = command.includes('/')
  const folders = (process.env.PATH ?? '').split(delimiter)
  const places = isPath ? [resolve(command)] : folders.map((folder) => join(folder || '.', command))
  const found = await Promise.all(places.map(lookAt))
  if (found.includes('program')) return
  if (found.includes('file'))
    throw invalid(command, 'may not be executed: make it executable (chmod +x), or start it through its interpreter')
  const where = isPath
    ? `is not there (${places[0]}): correct its path`
    : 'is in no folder of PATH: install it, correct its name, or give its path'
  throw invalid(command, where)
}

type Found = 'program' | 'file' | 'nothing'

async function lookAt(path: string): Promise<Found> {
  const isFile = await stat(path).then(
    (found) => found.isFile(),
    () => false,
  )
  if (!isFile) return 'nothing'
  return access(path, constants.X_OK).then(
    () => 'program',
    () => 'file',
  )
}

function invalid(command: string, problem: string): DuologError {
  return new DuologError('EXECUTOR_INVALID', `--command: the program "${command}" ${problem}.`)
}
