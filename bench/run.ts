import { availableParallelism, cpus } from 'node:os'
import { progress, type Report, type Result } from './report.ts'

/*
 * npm run bench -- NAME
 */

interface Bench {
  run(): Promise<readonly Result[]>
  /** What its figures say nothing about. */
  readonly notShown?: readonly string[]
}

const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  agents: () => import('./agents.ts'),
  embedded: () => import('./embedded.ts'),
  kafka: () => import('./kafka.ts'),
  processing: () => import('./processing.ts'),
  'kafka-java': () => import('./kafka/java.ts'),
  'kafka-sharing': () => import('./kafka/sharing.ts'),
  'kafka-reads': () => import('./kafka/reads.ts'),
  'kafka-snapshots': () => import('./kafka/snapshots.ts'),
}

async function main(name: string | undefined): Promise<void> {
  const load = name === undefined ? undefined : benches[name]
  if (name === undefined || load === undefined) {
    progress(`Usage: npm run bench -- NAME, where NAME is one of: ${Object.keys(benches).join(', ')}`)
    process.exitCode = 2
    return
  }
  const { run, notShown } = await load()
  const machine = `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}`
  const report: Report = { bench: name, machine, ...(notShown && { notShown }), results: await run() }
  process.stdout.write(`${JSON.stringify(report)}\n`)
}

await main(process.argv[2])
