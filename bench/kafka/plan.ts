import type { KafkaDriverName } from '../../src/kafka/connect-driver.ts'
import type { KafkaBenchOptions, Part } from './options.ts'

/*
 * What a run of the bench measures, one process each, so that memory and garbage of one part are not another's. Pure.
 */

export interface PartTask {
  /** Besides the parts: what writes the log that `reads` reads. */
  readonly part: Part | 'reads-log'
  readonly brokers: readonly string[]
  readonly driver: KafkaDriverName
  readonly dataBytes: number
  /** The log that is read lies there, with so many events. */
  readonly prefix: string
  readonly events: number
  readonly quick: boolean
}

type Place = Pick<PartTask, 'brokers' | 'prefix'>

export function tasksOf(options: KafkaBenchOptions, place: Place): readonly PartTask[] {
  const { events, quick, drivers, sizes } = options
  const [driver = 'kafkajs'] = drivers
  const [dataBytes = 0] = sizes
  const basis = { ...place, events, quick, driver, dataBytes }
  const perDriver = (part: Part) => drivers.map((driver) => ({ ...basis, part, driver }))
  const perSize = (part: Part) => perDriver(part).flatMap((task) => sizes.map((dataBytes) => ({ ...task, dataBytes })))
  return options.parts.flatMap((part): readonly PartTask[] => {
    if (part === 'appends' || part === 'java') return perSize(part)
    return part === 'reads' ? [{ ...basis, part: 'reads-log' }, ...perDriver(part)] : perDriver(part)
  })
}

/** Stands before the names of its rows. */
export function labelOf({ part, driver, dataBytes }: PartTask): string {
  const sized = part === 'appends' || part === 'java'
  return `${part}, ${driver}${sized ? `, ${dataBytes} bytes` : ''}`
}
