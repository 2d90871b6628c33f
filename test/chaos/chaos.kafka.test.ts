import { beforeAll, expect, it, vi } from 'vitest'
import { describeKafka, kafkaBrokers } from '../support/kafka.ts'
import { campaign, dieAtEach } from './campaigns.ts'
import { kafkaLog } from './kafka-log.ts'
import { everyPoint, everyStep, listenForAllPoints } from './points.ts'
import { type PointsOf, scenarioOf } from './scenario.ts'

/* As chaos.test.ts, on a real broker. A dead process is known by its silence here, so every resume takes a lease. */

/** Many processes, on cores that may be busy. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 })

describeKafka('a session on Kafka, killed with SIGKILL', () => {
  const log = kafkaLog(kafkaBrokers)
  let points: PointsOf
  beforeAll(async () => {
    points = await listenForAllPoints(log)
  })

  it('at every named point of its store', async () => {
    const named = Object.keys(points.local).filter((name) => name.startsWith('kafka.'))
    expect(named.length).toBeGreaterThan(3)
    const local = Object.fromEntries(named.map((name) => [name, 1]))
    await dieAtEach(log, 'kafka-points', everyPoint({ local, manager: {}, worker: {}, coordinator: {} }))
  })

  /** In the middle of the session, where calls run side by side; the file's suite has the first and the last time. */
  it('P7: at every step of a call and of its executor', async () => {
    const steps = Object.entries(points.local).filter(([name]) => /^(call|executor)\./.test(name))
    expect(steps.map(([name]) => name)).toEqual(
      expect.arrayContaining(['call.claimed', 'call.affordable', 'call.executed', 'call.reported']),
    )
    const local = Object.fromEntries(steps.map(([name, times]) => [name, Math.max(2, Math.ceil(times / 2))]))
    const scenarios = everyPoint({ local, manager: {}, worker: {}, coordinator: {} })
    const midway = scenarios.filter(({ deaths: [death] }) => death?.kind === 'point' && death.nth > 1)
    expect(midway).toHaveLength(steps.length)
    await dieAtEach(log, 'kafka-steps', midway)
  })

  it('P7: before and after the append of every step: reservation, claim, outcome, gate, review, revision, approval, end', async () => {
    await dieAtEach(log, 'kafka-appends', everyStep(points))
  })

  it('at random places, alone and with manager, worker and coordinator apart', async () => {
    const seed = process.env.CHAOS_SEED ?? 'short'
    const alone = [1, 2, 3, 4].map((run) => scenarioOf({ seed, run, points, topicsPercent: 0 }))
    const apart = [5, 6].map((run) => scenarioOf({ seed, run, points, topicsPercent: 100 }))
    const { report } = await campaign(log, seed, [...alone, ...apart])
    expect(report.kills).toBeGreaterThan(3)
  })
})
