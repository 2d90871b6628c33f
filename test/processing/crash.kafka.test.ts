import { expect, it } from 'vitest'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { dieOften, dieOnceAt, LONG, points, RANDOM_KILLS } from './crash-run.ts'
import { dieParked } from './parked-run.ts'

/**
 * The same on a broker. It keeps a killed member's partitions for the six seconds of its session time-out: they are
 * waited for side by side.
 */

const newLog = () => `kafka://${kafkaBrokers}/?leaseMs=1000&prefix=${uniquePrefix('crash')}`
const kafkaPoints = [
  ['kafka.writer.taken-over', 2],
  ['kafka.writer.caught-up', 2],
  ['kafka.writer.committed', 12],
  ['kafka.writer.read-back', 1],
] as const

const all = [...points, ...kafkaPoints]
/** Every third point; DUOLOG_LONG=1 for all of them, `npm run crash:processing` for any number at random. */

describeKafka.concurrent('on a broker, killed and started again', () => {
  it.each(LONG ? all : all.filter((_, place) => place % 3 === 0))(
    '%s, time %i: nothing is lost, nothing happens twice',
    { timeout: 300_000 },
    async (point, count) => {
      expect(await dieOnceAt(newLog, point, count)).toEqual({ killed: 1, violations: [] })
    },
  )

  it('while a message is parked: the next owner begins with it, then what was behind it, and no fact is doubled', ({
    onTestFinished,
  }) => dieParked(newLog, onTestFinished))

  const seed = Number(process.env.DUOLOG_SEED ?? Math.floor(Math.random() * 2 ** 31))
  it(`at random, ${RANDOM_KILLS} times (DUOLOG_SEED=${seed})`, { timeout: RANDOM_KILLS * 60_000 }, async () => {
    const { killed, violations } = await dieOften(newLog, seed, RANDOM_KILLS)
    expect(violations).toEqual([])
    expect(killed).toBeGreaterThanOrEqual(RANDOM_KILLS)
  })
})
