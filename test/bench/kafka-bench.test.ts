import { describe, expect, it } from 'vitest'
import { kafkaBenchOptions } from '../../bench/kafka/options.ts'
import { labelOf, tasksOf } from '../../bench/kafka/plan.ts'

/* What a run of the bench of Kafka measures. */

const PLACE = { brokers: ['localhost:1'], prefix: 'bench.' }
const labels = (...args: string[]) => tasksOf(kafkaBenchOptions(args), PLACE).map(labelOf)

describe('the bench of Kafka', () => {
  it('measures all parts with both drivers, appends in both sizes, and reads a million events', () => {
    const tasks = tasksOf(kafkaBenchOptions([]), PLACE)
    expect(tasks.map(labelOf)).toEqual([
      'appends, kafkajs, 1000 bytes',
      'appends, kafkajs, 300 bytes',
      'appends, platformatic, 1000 bytes',
      'appends, platformatic, 300 bytes',
      'java, kafkajs, 1000 bytes',
      'java, kafkajs, 300 bytes',
      'java, platformatic, 1000 bytes',
      'java, platformatic, 300 bytes',
      'sharing, kafkajs',
      'sharing, platformatic',
      'snapshots, kafkajs',
      'snapshots, platformatic',
      'reads-log, kafkajs',
      'reads, kafkajs',
      'reads, platformatic',
    ])
    expect(new Set(tasks.map(({ events }) => events))).toEqual(new Set([1_000_000]))
  })

  it('does the parts that are named, in its own order, each driver reading the log that is written once', () => {
    expect(labels('--only', 'reads,snapshots', '--driver', 'platformatic')).toEqual([
      'snapshots, platformatic',
      'reads-log, platformatic',
      'reads, platformatic',
    ])
  })

  it('is short with --quick: one size, fewer events, unless they are given', () => {
    expect(labels('--quick', '--only', 'java', '--driver', 'kafkajs')).toEqual(['java, kafkajs, 1000 bytes'])
    expect(kafkaBenchOptions(['--quick']).events).toBe(50_000)
    expect(kafkaBenchOptions(['--quick', '--events', '400']).events).toBe(400)
  })

  it.each([
    [['--only', 'write'], /--only has "write"; there are appends, java/],
    [['--driver', 'confluent'], /--driver has "confluent"; there are kafkajs, platformatic/],
    [['--bytes', '1000,few'], /--bytes must be a whole number from 1/],
    [['--events', '10'], /--events must be a whole number from 400/],
  ])('says what it does not understand: %j', (args, message) => {
    expect(() => kafkaBenchOptions(args)).toThrow(message)
  })
})
