import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { DuologError } from '../core/errors.ts'

/** Where work directories have to lie. */
export interface WorkRootFlags {
  readonly workRoot?: string
}

export function addWorkRootFlag(command: Command): Command {
  return command.addOption(
    new Option('--work-root <folder>', 'refuse work directories outside this folder (default: anywhere)').env(
      'DUOLOG_WORK_ROOT',
    ),
  )
}

export function workRootOf({ workRoot }: WorkRootFlags): WorkRootFlags {
  return workRoot === undefined ? {} : { workRoot }
}

/** The folder the Worker works in, absolute. @throws WORKDIR_INVALID */
export async function existingWorkDir(path: string): Promise<string> {
  const folder = resolve(path)
  const found = await stat(folder).catch(() => undefined)
  if (found?.isDirectory()) return folder
  const problem = found === undefined ? 'does not exist: make it first, or name another' : 'is not a folder'
  throw new DuologError('WORKDIR_INVALID', `workdir: ${folder} ${problem}`)
}
