import { expect, it } from 'vitest'
import { runSchedule } from './schedule.ts'

/*
 * P2–P5, W1–W4 and linearizable reads under random schedules. `npm run model -- --runs N --seed S` is the long form.
 */

const RUNS = 2000

it('P2 P3 P4 P5 W1 W2 W3 W4 whatever the network does: what callers heard is what the log says', async () => {
  const seed = Number(process.env.SEED ?? Date.now() % 1_000_000_000)
  process.stdout.write(`model: SEED=${seed}\n`)
  let run = 0
  try {
    for (; run < RUNS; run++) await runSchedule(seed + run)
  } catch (error) {
    throw new Error(`The schedule with SEED=${seed + run} failed`, { cause: error })
  }
  expect(run).toBe(RUNS)
}, 120_000)
