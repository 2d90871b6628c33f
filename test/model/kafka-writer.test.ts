import { expect, it } from 'vitest'
import { runSchedule } from './schedule.ts'
import { checkSchedules } from './schedules.ts'

/*
 * P2–P6, W1–W6 and linearizable reads under random schedules, R1 and L4 where a process has its replica in a file. A failure prints its seed and path: `SEED=… MODEL_PATH=…` runs it
 * alone, `npm run model -- --runs N --seed S` is the long form.
 */

const RUNS = 2000

it('P2 P3 P4 P5 W1 W2 W3 W4 W5 W6 whatever the network does: what callers heard is what the log says', async () => {
  const seed = Number(process.env.SEED ?? Date.now() % 1_000_000_000)
  const path = process.env.MODEL_PATH
  process.stdout.write(`model: SEED=${seed}\n`)
  let runs = 0
  let withFile = 0
  const counted = (schedule: Parameters<typeof runSchedule>[0]) => {
    runs++
    if (schedule.processes.some(({ replica }) => replica === 'file')) withFile++
    return runSchedule(schedule)
  }
  await checkSchedules(counted, { runs: RUNS, seed, path })
  expect(runs).toBe(path === undefined ? RUNS : 1)
  if (path === undefined) expect(withFile).toBeGreaterThan(RUNS / 10)
}, 180_000)
