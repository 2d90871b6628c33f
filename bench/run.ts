import { availableParallelism, cpus } from 'node:os'
import { progress, type Report, type Result, UsageError } from './report.ts'

/*
 * npm run bench -- NAME [--help]
 */

interface Bench {
  /** `args`: what stands behind its name. @throws UsageError */
  run(args: readonly string[]): Promise<readonly Result[]>
  /** For `--help`. */
  readonly usage: string
  /** What its figures say nothing about. */
  readonly notShown?: readonly string[]
}

const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  agents: () => import('./agents.ts'),
  embedded: () => import('./embedded.ts'),
  kafka: () => import('./kafka.ts'),
  processing: () => import('./processing.ts'),
}

async function main([name, ...args]: readonly string[]): Promise<void> {
  const load = name === undefined ? undefined : benches[name]
  if (name === undefined || load === undefined) {
    throw new UsageError(`Usage: npm run bench -- NAME, where NAME is one of: ${Object.keys(benches).join(', ')}`)
  }
  const { run, notShown, usage } = await load()
  if (args.includes('--help')) {
    process.stdout.write(`${usage}\n`)
    return
  }
  const machine = `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}`
  const report: Report = { bench: name, machine, ...(notShown && { notShown }), results: await run(args) }
  process.stdout.write(`${JSON.stringify(report)}\n`)
}

function isUsageError(error: unknown): error is Error {
  return error instanceof UsageError || String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS')
}

await main(process.argv.slice(2)).catch((error: unknown) => {
  if (!isUsageError(error)) throw error
  progress(error.message)
  process.exitCode = 2
})
