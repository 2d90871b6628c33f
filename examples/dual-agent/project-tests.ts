import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const GATE = fileURLToPath(new URL('./gate.mjs', import.meta.url))

/** The command that judges a work item; the log tells it which one. */
export const gateCommand = [process.execPath, GATE]

export interface TestResult {
  readonly green: boolean
  /** `24 passed, 0 failed` */
  readonly counts: string
}

/** Runs all tests of the project, as the gate runs those of one work item. */
export function runProjectTests(workDir: string): Promise<TestResult> {
  const { DUOLOG_WORK_ITEM_ID: _, ...env } = process.env
  return new Promise((resolve) => {
    execFile(process.execPath, [GATE], { cwd: workDir, env }, (error, stdout) => {
      resolve({ green: error === null, counts: stdout.trim().split('\n').at(-1) ?? '' })
    })
  })
}
