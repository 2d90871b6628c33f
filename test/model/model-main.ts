/*
 * npm run model -- [--runs 20000] [--seed S] [--path P]
 *
 * Random schedules of the model of writers on Kafka; one that fails is told with its seed and path.
 */

import { numberOf, scriptOptions } from '../support/script-options.ts'
import { runSchedule } from './schedule.ts'
import { checkSchedules } from './schedules.ts'

const values = scriptOptions(import.meta.filename, {
  runs: { type: 'string' },
  seed: { type: 'string' },
  path: { type: 'string' },
})
const runs = numberOf('runs', values.runs ?? '20000')
const seed = numberOf('seed', values.seed ?? String(Date.now() % 1_000_000_000))
process.stdout.write(`model: ${runs} schedules from --seed ${seed}\n`)
await checkSchedules(runSchedule, { runs, seed, path: values.path })
process.stdout.write(`model: ${runs} schedules, none failed\n`)
