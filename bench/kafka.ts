import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { startBroker } from '../test/support/broker.ts'
import { kafkaBenchOptions } from './kafka/options.ts'
import { labelOf, type PartTask, tasksOf } from './kafka/plan.ts'
import { progress, type Result } from './report.ts'

/*
 * npm run bench -- kafka: the kafka: store in all its parts, with both drivers, in one run on one broker. `--help` tells the rest.
 */

export { usage } from './kafka/options.ts'

export const notShown = ['several brokers, replication', 'networks between machines']

export async function run(args: readonly string[]): Promise<readonly Result[]> {
  const options = kafkaBenchOptions(args)
  const broker = await startBroker({ asShipped: true })
  try {
    const place = { brokers: broker.address.split(','), prefix: `bench-${randomUUID()}.` }
    const results: Result[] = []
    for (const task of tasksOf(options, place)) results.push(...(await inProcess(task)))
    return results
  } finally {
    await broker.stop()
  }
}

async function inProcess(task: PartTask): Promise<readonly Result[]> {
  const label = labelOf(task)
  progress(label)
  const program = fileURLToPath(new URL('./kafka/part-program.ts', import.meta.url))
  const child = spawn(process.execPath, [program, JSON.stringify(task)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [rows, [code]] = await Promise.all([text(child.stdout), once(child, 'close')])
  if (code !== 0) throw new Error(`${label}: its process ended with ${code ?? 'a signal'}`)
  return (JSON.parse(rows) as readonly Result[]).map((result) => ({ ...result, name: `${label}: ${result.name}` }))
}
