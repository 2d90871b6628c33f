import { existsSync, statSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { DuologError } from '../core/errors.ts'
import type { Logger } from '../core/logger.ts'
import { definesFilters, gitNames } from './safe-git.ts'

/**
 * Refuses a work directory that cannot be worked in, and says when a repository holds local changes: the Worker works
 * among them, and nothing of them is put aside, reset or committed.
 *
 * @throws WORKDIR_INVALID when it is missing, no folder, or outside `workRoot` (links followed)
 */
export async function checkWorkDir(
  workDir: string,
  { workRoot, logger }: { readonly workRoot: string | undefined; readonly logger: Logger },
): Promise<void> {
  const folder = await existingFolder(workDir)
  await refuseOutside(folder, workRoot)
  await tellLocalChanges(folder, logger)
}

/** Nothing where there is no repository, or no git. Looking for one first is a hundred times cheaper than to ask git. */
async function tellLocalChanges(workDir: string, logger: Logger): Promise<void> {
  if (!isInRepository(workDir)) return
  if (await definesFilters(workDir)) {
    const says =
      'The work directory is a git repository with filters of its own, which git would run: it was not looked for local changes. If there are any, they stay as they are.'
    logger.warn({ workDir }, says)
    return
  }
  const args = [
    'status',
    '--porcelain',
    '-z',
    '--no-renames',
    '--ignore-submodules=dirty',
    '--',
    '.',
    ':(exclude).duolog',
  ]
  const changed = (await gitNames({ cwd: workDir, args }, 0))?.count ?? 0
  if (changed === 0) return
  logger.warn(
    { workDir, changed },
    `The work directory is a git repository with ${changed} local changes. They stay as they are; the Worker works among them.`,
  )
}

async function existingFolder(workDir: string): Promise<string> {
  const found = await realpath(workDir).catch(() => undefined)
  // Not in the background a second time: it has just answered.
  if (found !== undefined && statSync(found, { throwIfNoEntry: false })?.isDirectory()) return found
  const problem = found === undefined ? 'does not exist: make it first, or name another' : 'is not a folder'
  throw new DuologError('WORKDIR_INVALID', `workDir: ${resolve(workDir)} ${problem}`)
}

/** @throws WORKDIR_INVALID when there is an allowed folder and this one is not in it, links followed */
export async function refuseOutside(workDir: string, workRoot: string | undefined): Promise<void> {
  if (workRoot === undefined) return
  const [folder, root] = await Promise.all([realOf(workDir), realOf(workRoot)])
  const way = relative(root, folder)
  const inside = way !== '..' && !way.startsWith(`..${sep}`) && resolve(root, way) === folder
  if (inside) return
  throw new DuologError('WORKDIR_INVALID', `workDir: ${folder} is outside the allowed folder ${root}; name one in it`)
}

function realOf(path: string): Promise<string> {
  return realpath(path).catch(() => resolve(path))
}

/** Not asked in the background: the folder has just answered, and each such question would cost a short session a tenth of its time. */
function isInRepository(folder: string): boolean {
  if (existsSync(join(folder, '.git'))) return true
  const parent = dirname(folder)
  return parent !== folder && isInRepository(parent)
}
