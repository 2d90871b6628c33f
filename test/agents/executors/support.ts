import { execFileSync } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type DuologError, isDuologError } from '../../../src/core/errors.ts'

export { contextOf, requestIn } from './request.ts'

export function tempFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'duolog-executors-')))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The error it rejects (or throws) with; anything but a DuologError fails the test. */
export async function errorOf(work: () => unknown): Promise<DuologError> {
  try {
    await work()
  } catch (error) {
    if (isDuologError(error)) return error
    throw error
  }
  throw new Error('expected a DuologError, nothing was thrown')
}

/** Command lines of living processes that hold `marker`; zombies are dead. */
export function livingWith(marker: string): string[] {
  const table = execFileSync('ps', ['-A', '-ww', '-o', 'stat=,args='], { encoding: 'utf8' })
  return table.split('\n').filter((line) => line.includes(marker) && !line.trimStart().startsWith('Z'))
}

/** Cleans up after a test that failed. */
export function killWith(marker: string): void {
  const table = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,args='], { encoding: 'utf8' })
  const lines = table.split('\n').filter((line) => line.includes(marker))
  for (const line of lines) {
    try {
      process.kill(Number.parseInt(line, 10), 'SIGKILL')
    } catch {
      // It ended by itself meanwhile.
    }
  }
}

/** Polls without a limit of its own: the test's time-out is the limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20))
}
