import { setTimeout } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { kafkaBrokers as brokers, describeKafka, uniquePrefix } from '../support/kafka.ts'
import type { Acknowledged } from './appender.ts'
import { checkLog, numbered, startAppender } from './log-check.ts'

/** A slow machine has few turns in a few seconds; who has had a tenth by then does not starve. */
const LEAST_MS = 4000
const MOST_MS = 30_000

/** Of what was acknowledged while all wanted the partition. */
function sharesOf(each: readonly (readonly Acknowledged[])[], fromMs: number): readonly number[] {
  const counts = each.map((own) => own.filter(({ atMs }) => atMs >= fromMs).length)
  const all = counts.reduce((sum, count) => sum + count, 0)
  return counts.map((count) => count / all)
}

const nobodyStarves = (shares: readonly number[]) => shares.every((share) => share >= 0.1)

describeKafka('several processes on one partition', () => {
  it('P3 P4 P5 F1 three, on two drivers, contend at full speed: acknowledged is in the log, none twice, no gaps, and none starves', async () => {
    const prefix = uniquePrefix('contend')
    const streams = numbered('shared', 5)
    const tasks = ['a', 'b', 'c'].map((name) => numbered(name, 10_000))
    const appenders = tasks.map((keys, index) => {
      const driver = index === 1 ? 'platformatic' : 'kafkajs'
      return startAppender({ brokers, prefix, driver, streams, keys, concurrency: 20, waits: true })
    })
    await Promise.all(appenders.map(({ ready }) => ready))
    const fromMs = Date.now()
    for (const { child } of appenders) child.stdin?.write('go')
    await setTimeout(LEAST_MS)
    const shares = () =>
      sharesOf(
        appenders.map(({ acknowledged }) => acknowledged),
        fromMs,
      )
    await expect.poll(shares, { timeout: MOST_MS - LEAST_MS, interval: 200 }).toSatisfy(nobodyStarves)
    for (const { child } of appenders) child.stdin?.end()
    expect(await Promise.all(appenders.map(({ ended }) => ended))).toEqual([0, 0, 0])
    const acknowledged = appenders.flatMap((appender) => appender.acknowledged)
    await checkLog({ brokers, prefix, keys: acknowledged.map(({ key }) => key), acknowledged })
  })

  it.each([
    ['kafkajs', 'platformatic'],
    ['platformatic', 'kafkajs'],
  ] as const)(
    'W4 one frozen in the middle of its work (SIGSTOP) and thawed later writes nothing out of turn: %s, beside %s',
    async (frozen, awake) => {
      const prefix = uniquePrefix('zombie')
      const streams = numbered('shared', 3)
      const [mine, others] = [numbered('zombie', 400), numbered('other', 300)]
      const zombie = startAppender({ brokers, prefix, driver: frozen, streams, keys: mine, concurrency: 10 })
      await expect.poll(() => zombie.acknowledged.length, { timeout: 60_000 }).toBeGreaterThan(50)
      zombie.child.kill('SIGSTOP')
      const other = startAppender({ brokers, prefix, driver: awake, streams, keys: others, concurrency: 10 })
      expect(await other.ended).toBe(0)
      zombie.child.kill('SIGCONT')
      expect(await zombie.ended).toBe(0)
      const acknowledged = [...zombie.acknowledged, ...other.acknowledged]
      await checkLog({ brokers, prefix, keys: [...mine, ...others], acknowledged })
    },
  )
})
