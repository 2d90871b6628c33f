import { lstat, mkdir, realpath, writeFile } from 'node:fs/promises'
import { dirname, isAbsolute, join, normalize, relative, sep, win32 } from 'node:path'
import { DuologError } from '../../core/errors.ts'

/** Why `path` cannot name a file inside a folder, or undefined when it can. */
export function problemOfRelativePath(path: string): string | undefined {
  if (path.trim() === '' || path.includes('\0')) return 'is not a path; name a file relative to the work directory'
  if (isAbsolute(path) || win32.isAbsolute(path)) return 'is an absolute path; give one relative to the work directory'
  const plain = normalize(path.replaceAll('\\', '/'))
  if (plain === '..' || plain.startsWith(`..${sep}`)) return 'leads out of the work directory; name a file inside it'
  return plain === '.' || plain.endsWith(sep) ? 'names a folder; name a file' : undefined
}

/**
 * Writes a file inside `folder` and makes the folders it needs.
 *
 * @throws DuologError WORKDIR_INVALID when the path, or a symbolic link on it, leads out of `folder`
 */
export async function writeInside(folder: string, path: string, content: string | Buffer): Promise<void> {
  const problem = problemOfRelativePath(path)
  if (problem) throw outside(folder, path, problem)
  const root = await realpath(folder)
  const target = join(root, path)
  // Before a folder is made: making it would already follow the link.
  await refuseLinkOut(root, target, path)
  await mkdir(dirname(target), { recursive: true })
  await writeFile(target, content)
}

/** The deepest part of the path that exists, seen through links, must lie inside. */
async function refuseLinkOut(root: string, target: string, path: string): Promise<void> {
  let existing = target
  while (existing !== root && !(await exists(existing))) existing = dirname(existing)
  const real = await realpath(existing).catch(() => undefined)
  const inside = real !== undefined && (real === root || !relative(root, real).startsWith('..'))
  if (!inside) throw outside(root, path, 'leads out of the work directory through a symbolic link; remove the link')
}

/** A dangling link exists too. */
async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}

function outside(folder: string, path: string, problem: string): DuologError {
  return new DuologError('WORKDIR_INVALID', `"${path}" was not written into ${folder}: it ${problem}.`)
}
