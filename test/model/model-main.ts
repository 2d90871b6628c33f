import { parseArgs } from 'node:util'
import { runSchedule } from './schedule.ts'
import { checkSchedules } from './schedules.ts'

/* npm run model -- --runs N --seed S [--path P] */

const { values } = parseArgs({
  options: { runs: { type: 'string' }, seed: { type: 'string' }, path: { type: 'string' } },
})
const runs = Number(values.runs ?? 20_000)
const seed = Number(values.seed ?? Date.now() % 1_000_000_000)
process.stdout.write(`model: ${runs} schedules from --seed ${seed}\n`)
await checkSchedules(runSchedule, { runs, seed, path: values.path })
process.stdout.write(`model: ${runs} schedules, none failed\n`)
