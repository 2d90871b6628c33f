import { expect, it } from 'vitest'
import { kafkaBrokers as brokers, describeKafka, uniquePrefix } from '../support/kafka.ts'
import type { Acknowledged } from './appender.ts'
import { checkLog, numbered, startAppender } from './log-check.ts'

/** Of what was acknowledged between the last one's first append and the first one's last. */
function sharesWhileAllContend(each: readonly (readonly Acknowledged[])[]): readonly number[] {
  const times = each.map((acknowledged) => acknowledged.map(({ atMs }) => atMs))
  const from = Math.max(...times.map((own) => Math.min(...own)))
  const to = Math.min(...times.map((own) => Math.max(...own)))
  const counts = times.map((own) => own.filter((atMs) => atMs >= from && atMs <= to).length)
  const all = counts.reduce((sum, count) => sum + count, 0)
  return counts.map((count) => count / all)
}

const nobodyStarves = (shares: readonly number[]) => shares.every((share) => share >= 0.1)

describeKafka('several processes on one partition', () => {
  it('P3 P4 P5 F1 three contend at full speed: acknowledged is in the log, none twice, no gaps, and none starves', async () => {
    const prefix = uniquePrefix('contend')
    const streams = numbered('shared', 5)
    const tasks = ['a', 'b', 'c'].map((name) => numbered(name, 1_500))
    const startAtMs = Date.now() + 3_000
    const appenders = tasks.map((keys) => startAppender({ brokers, prefix, streams, keys, concurrency: 20, startAtMs }))
    expect(await Promise.all(appenders.map(({ ended }) => ended))).toEqual([0, 0, 0])
    const acknowledged = appenders.flatMap((appender) => appender.acknowledged)
    expect(acknowledged).toHaveLength(4_500)
    await checkLog({ brokers, prefix, keys: tasks.flat(), acknowledged })
    expect(sharesWhileAllContend(appenders.map((appender) => appender.acknowledged))).toSatisfy(nobodyStarves)
  })

  it('W4 one frozen in the middle of its work (SIGSTOP) and thawed later writes nothing out of turn', async () => {
    const prefix = uniquePrefix('zombie')
    const streams = numbered('shared', 3)
    const [mine, others] = [numbered('zombie', 400), numbered('other', 300)]
    const zombie = startAppender({ brokers, prefix, streams, keys: mine, concurrency: 10 })
    await expect.poll(() => zombie.acknowledged.length, { timeout: 60_000 }).toBeGreaterThan(50)
    zombie.child.kill('SIGSTOP')
    const other = startAppender({ brokers, prefix, streams, keys: others, concurrency: 10 })
    expect(await other.ended).toBe(0)
    zombie.child.kill('SIGCONT')
    expect(await zombie.ended).toBe(0)
    const acknowledged = [...zombie.acknowledged, ...other.acknowledged]
    await checkLog({ brokers, prefix, keys: [...mine, ...others], acknowledged })
  })
})
