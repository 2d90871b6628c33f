import { expect, it } from 'vitest'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { dieAtRandom, dieOnceAt, points, randomFrom } from './crash-run.ts'

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
const long = process.env.DUOLOG_LONG === '1'

describeKafka.concurrent('on a broker, killed and started again', () => {
  it.each(long ? all : all.filter((_, place) => place % 3 === 0))(
    '%s, time %i: nothing is lost, nothing happens twice',
    async (point, count) => {
      expect(await dieOnceAt(newLog, point, count)).toEqual({ killed: 1, violations: [] })
    },
  )

  const seed = Number(process.env.DUOLOG_SEED ?? Math.floor(Math.random() * 2 ** 31))
  it(`at random, 5 times (DUOLOG_SEED=${seed})`, async () => {
    expect((await dieAtRandom(newLog, randomFrom(seed), 5)).violations).toEqual([])
  })
})
