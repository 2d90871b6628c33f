import { beforeAll, describe, expect, it, vi } from 'vitest'
import { campaign, dieAtEach } from './campaigns.ts'
import { fileLog } from './file-log.ts'
import { everyPoint, everyStep, listenForAllPoints, withoutSteps } from './points.ts'
import { type PointsOf, scenarioOf } from './scenario.ts'

/*
 * P7 across real deaths: whatever process of a session is killed, wherever it is, the session goes on to the same end and
 * nothing is lost, or done twice without the log saying so. The long form is `npm run chaos`.
 */

/** Many processes, on cores that may be busy. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 })

let points: PointsOf
beforeAll(async () => {
  points = await listenForAllPoints(fileLog)
})

describe('a session on a file, killed with SIGKILL', () => {
  it('at every named point, the first and the last time it is reached', async () => {
    const names = Object.keys(points.local)
    for (const area of ['call.', 'executor.', 'file.open.', 'file.commit.']) {
      expect(names.filter((name) => name.startsWith(area)).length).toBeGreaterThan(1)
    }
    const local = withoutSteps(points.local)
    await dieAtEach(fileLog, 'points', everyPoint({ local, manager: {}, worker: {}, coordinator: {} }))
  })

  it('P7: before and after the append of every step: reservation, claim, outcome, gate, review, revision, approval, end', async () => {
    await dieAtEach(fileLog, 'steps', everyStep(points))
  })

  it('at the points only services reach', async () => {
    const only = (counts: PointsOf[keyof PointsOf]) =>
      Object.fromEntries(Object.keys(counts).flatMap((name) => (name in points.local ? [] : [[name, 1]])))
    const { manager, worker, coordinator } = points
    const alone = { local: {}, manager: only(manager), worker: only(worker), coordinator: only(coordinator) }
    expect(Object.keys(alone.worker).length).toBeGreaterThan(0)
    await dieAtEach(fileLog, 'service-points', everyPoint(alone))
  })

  it('at 20 random places, alone and with manager, worker and coordinator apart', async () => {
    const seed = process.env.CHAOS_SEED ?? 'short'
    const runs = Array.from({ length: 20 }, (_, index) => index + 1)
    const scenarios = runs.map((run) => scenarioOf({ seed, run, points, topicsPercent: 25 }))
    const { report } = await campaign(fileLog, seed, scenarios)
    expect(report.kills).toBeGreaterThan(15)
    expect(report.inDoubt).toBeGreaterThan(0)
  })
})
