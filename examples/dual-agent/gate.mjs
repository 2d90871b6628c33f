/*
 * The quality gate of the example: really runs the tests that belong to one work item.
 *
 * The work item's id (DUOLOG_WORK_ITEM_ID) names its test file: item `money` is accepted by test/money.test.mjs. Without
 * an id all tests run. Runs in the project's folder, prints a short result, exits 0 (green) or 1.
 *
 * It lives outside the project, so that an agent who edits the project cannot edit its own judge.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const TEST_TIMEOUT_MS = 10_000
const GATE_TIMEOUT_MS = 30_000

const item = process.env.DUOLOG_WORK_ITEM_ID
process.exitCode = runTests(item ? [testFileOf(item)] : []) ? 0 : 1

function testFileOf(id) {
  const file = `test/${id}.test.mjs`
  if (/^[a-z0-9-]+$/.test(id) && existsSync(file)) return file
  console.log(`gate: there is no ${file}; the id of a work item must be the name of its test file`)
  process.exit(1)
}

function runTests(files) {
  const reporter = fileURLToPath(new URL('./gate-reporter.mjs', import.meta.url))
  const args = ['--test', `--test-timeout=${TEST_TIMEOUT_MS}`, `--test-reporter=${reporter}`, ...files]
  // A gate may itself be started by a test runner: its children must not report to that one.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const child = spawnSync(process.execPath, args, { env, encoding: 'utf8', timeout: GATE_TIMEOUT_MS })
  process.stdout.write(child.stdout || child.stderr || `gate: ${child.error?.message ?? 'no tests ran'}\n`)
  return child.status === 0 && !child.stdout.startsWith('0 passed')
}
