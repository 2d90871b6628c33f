/*
 * Runs all tests in two lanes side by side, since one broker and one program at a time leave half of a machine idle:
 * what needs a broker, and all else. Ends with one line, `N passed, N failed, N skipped`. Arguments go to one plain vitest.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

interface Lane {
  readonly name: string
  readonly args: readonly string[]
}

interface Verdict {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

const LANES: readonly Lane[] = [
  { name: 'kafka', args: ['--project', 'kafka'] },
  { name: 'local', args: ['--project', 'processes', '--project', 'unit'] },
]
const VERDICT = /^(\d+) passed, (\d+) failed, (\d+) skipped$/

const given = process.argv.slice(2)
await (given.length > 0 ? runOnce(given) : runLanes())

async function runOnce(args: readonly string[]): Promise<void> {
  process.exitCode = await ended(vitest(args, 'inherit'))
}

async function runLanes(): Promise<void> {
  const verdicts = await Promise.all(LANES.map(runLane))
  const { passed, failed, skipped } = verdicts.reduce(sum)
  if (failed > 0) process.exitCode = 1
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
}

/** A lane that broke off before it could say how it went is one failure. */
async function runLane({ name, args }: Lane): Promise<Verdict> {
  const child = vitest(args, 'pipe')
  let verdict: Verdict | undefined
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue
    createInterface({ input: stream }).on('line', (line) => {
      console.log(`${name} | ${line}`)
      verdict = verdictOf(line) ?? verdict
    })
  }
  const code = await ended(child)
  if (verdict === undefined || (code !== 0 && verdict.failed === 0)) {
    console.log(`${name} | ended with ${code} without a failed test`)
    return sum(verdict ?? { passed: 0, failed: 0, skipped: 0 }, { passed: 0, failed: 1, skipped: 0 })
  }
  return verdict
}

function vitest(args: readonly string[], output: 'inherit' | 'pipe'): ChildProcess {
  return spawn(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...args], {
    stdio: ['inherit', output, output],
  })
}

/** Its exit code, when all it printed has been read. */
async function ended(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve(code ?? 1))
  })
}

function verdictOf(line: string): Verdict | undefined {
  const [, passed, failed, skipped] = VERDICT.exec(line)?.map(Number) ?? []
  if (passed === undefined || failed === undefined || skipped === undefined) return undefined
  return { passed, failed, skipped }
}

function sum(a: Verdict, b: Verdict): Verdict {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped }
}
