import { parseArgs } from 'node:util'
import type { KafkaDriverName } from '../../src/kafka/connect-driver.ts'
import { oneOf, UsageError } from '../report.ts'

/** What `npm run bench -- kafka` is asked on the command line. */

export const PARTS = ['appends', 'java', 'sharing', 'snapshots', 'reads'] as const
export const DRIVERS: readonly KafkaDriverName[] = ['kafkajs', 'platformatic']
const EVENTS = 1_000_000
const QUICK_EVENTS = 50_000

export type Part = (typeof PARTS)[number]

export interface KafkaBenchOptions {
  readonly parts: readonly Part[]
  readonly drivers: readonly KafkaDriverName[]
  /** Sizes of an event's data. */
  readonly sizes: readonly number[]
  /** In the log that is read. */
  readonly events: number
  readonly quick: boolean
}

export const usage = `npm run bench -- kafka [--only appends,java,sharing,snapshots,reads] [--driver kafkajs|platformatic]
  [--bytes 1000,300] [--events 1000000] [--quick]

All parts with both drivers on one broker, each in a process of its own; progress on stderr, one JSON object at the end.
  appends    1 to 2,000 callers, 1 and 6 partitions, beside the same driver without the store
  java       2,000 callers beside Java's ProducerPerformance, transactional
  sharing    three processes on one partition, takeovers, 10,000 events/s offered
  snapshots  a fold of 10,000 events with a snapshot beside a fold of 10
  reads      one session among --events events, and a process that reads them all first
--quick: fewer rounds and appends, events of the first size only, ${QUICK_EVENTS} events to read; says whether it runs, not how fast.`

export function kafkaBenchOptions(args: readonly string[]): KafkaBenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', default: PARTS.join(',') },
      driver: { type: 'string', default: DRIVERS.join(',') },
      bytes: { type: 'string', default: '1000,300' },
      events: { type: 'string' },
      quick: { type: 'boolean', default: false },
    },
  })
  const { quick } = values
  const sizes = values.bytes.split(',').map((text) => wholeNumber('--bytes', text))
  return {
    parts: chosen('--only', values.only, PARTS),
    drivers: chosen('--driver', values.driver, DRIVERS),
    sizes: quick ? sizes.slice(0, 1) : sizes,
    events: values.events === undefined ? (quick ? QUICK_EVENTS : EVENTS) : wholeNumber('--events', values.events, 400),
    quick,
  }
}

/** In the order of `all`, whatever order they were named in. */
function chosen<T extends string>(option: string, text: string, all: readonly T[]): readonly T[] {
  const names = text.split(',').map((name) => oneOf(option, name, all))
  return all.filter((one) => names.includes(one))
}

function wholeNumber(option: string, text: string, least = 1): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < least) throw new UsageError(`${option} must be a whole number from ${least}`)
  return value
}
