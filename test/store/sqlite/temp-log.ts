import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface TempLog {
  readonly folder: string
  readonly path: string
  remove(): void
}

/** A place for one log, in a folder of its own that `remove` takes away. */
export function tempLog(): TempLog {
  const folder = mkdtempSync(join(tmpdir(), 'duolog-file-'))
  return {
    folder,
    path: join(folder, 'run.db'),
    remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }),
  }
}
