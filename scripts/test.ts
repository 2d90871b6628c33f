/*
 * Runs all tests in parts, two at a time, since one broker and one program at a time leave half of a machine idle. Ends with
 * what failed, told once more, and one line, `N passed, N failed, N skipped`. Arguments go to one plain vitest.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { FAILURE } from './plain-summary-reporter.ts'

interface Part {
  readonly name: string
  readonly args: readonly string[]
}

interface Verdict {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

const kafka = partsOf('kafka', 4, ['kafka'])
const local = partsOf('local', 2, ['processes', 'unit'])
/** The longest parts in the middle: then both ends of the queue come to an end at about the same time. */
const PARTS = [...kafka.slice(0, 2), ...local, ...kafka.slice(2)]
const AT_ONCE = 2
const VERDICT = /^(\d+) passed, (\d+) failed, (\d+) skipped$/

const given = process.argv.slice(2)
await (given.length > 0 ? runOnce(given) : runAll())

function partsOf(name: string, count: number, projects: readonly string[]): readonly Part[] {
  const wanted = projects.flatMap((project) => ['--project', project])
  return Array.from({ length: count }, (_, n) => {
    const part = `${n + 1}/${count}`
    return { name: `${name} ${part}`, args: [...wanted, '--shard', part] }
  })
}

async function runOnce(args: readonly string[]): Promise<void> {
  process.exitCode = await ended(vitest(args, 'inherit'))
}

async function runAll(): Promise<void> {
  const left = [...PARTS]
  const verdicts: Verdict[] = []
  const failures: string[] = []
  const worker = async () => {
    for (let part = left.shift(); part !== undefined; part = left.shift()) verdicts.push(await runPart(part, failures))
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  const { passed, failed, skipped } = verdicts.reduce(sum)
  if (failed > 0) process.exitCode = 1
  for (const line of failures) console.log(line)
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
}

/** A part that broke off before it could say how it went is one failure. */
async function runPart({ name, args }: Part, failures: string[]): Promise<Verdict> {
  const child = vitest(args, 'pipe')
  let verdict: Verdict | undefined
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue
    createInterface({ input: stream }).on('line', (line) => {
      console.log(`${name} | ${line}`)
      if (line.startsWith(FAILURE)) failures.push(line)
      verdict = verdictOf(line) ?? verdict
    })
  }
  const code = await ended(child)
  if (verdict === undefined || (code !== 0 && verdict.failed === 0)) {
    failures.push(`${FAILURE}${name} ended with ${code} without a failed test`)
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
