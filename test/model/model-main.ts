import { parseArgs } from 'node:util'
import { runSchedule } from './schedule.ts'

/* npm run model -- --runs N --seed S */

const { values } = parseArgs({ options: { runs: { type: 'string' }, seed: { type: 'string' } } })
const runs = Number(values.runs ?? 20_000)
const seed = Number(values.seed ?? Date.now() % 1_000_000_000)
process.stdout.write(`model: ${runs} schedules from --seed ${seed}\n`)
for (let run = 0; run < runs; run++) {
  try {
    await runSchedule(seed + run)
  } catch (error) {
    process.stderr.write(`Failed: npm run model -- --runs 1 --seed ${seed + run}\n`)
    throw error
  }
}
process.stdout.write(`model: ${runs} schedules, none failed\n`)
