import { expect, it } from 'vitest'
import { kafkaBrokers as brokers, describeKafka, uniquePrefix } from '../support/kafka.ts'
import { checkLog, numbered, startAppender } from './log-check.ts'

describeKafka('several processes on one partition', () => {
  it('P3 P4 P5 three contend at full speed: acknowledged is in the log, none twice, no gaps, and all get on', async () => {
    const prefix = uniquePrefix('contend')
    const streams = numbered('shared', 5)
    const tasks = ['a', 'b', 'c'].map((name) => numbered(name, 400))
    const appenders = tasks.map((keys) => startAppender({ brokers, prefix, streams, keys, concurrency: 20 }))
    expect(await Promise.all(appenders.map(({ ended }) => ended))).toEqual([0, 0, 0])
    const acknowledged = appenders.flatMap((appender) => appender.acknowledged)
    expect(acknowledged).toHaveLength(1200)
    await checkLog({ brokers, prefix, keys: tasks.flat(), acknowledged })
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
