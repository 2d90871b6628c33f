import { DuologError } from '../core/errors.ts'
import type { DriverOptions, KafkaDriver } from './driver.ts'

/** The Kafka libraries a store can be opened with. */
export type KafkaDriverName = 'kafkajs' | 'platformatic'

type Connect = (options: DriverOptions) => Promise<KafkaDriver>

/** Each library is loaded when it is chosen. */
const DRIVERS: Readonly<Record<KafkaDriverName, () => Promise<Connect>>> = {
  kafkajs: async () => (await import('./drivers/kafkajs.ts')).connectKafkajs,
  platformatic: async () => (await import('./drivers/platformatic.ts')).connectPlatformatic,
}

/** @throws INVALID_ARGUMENT naming the choices, DEPENDENCY_MISSING, BROKER_UNREACHABLE, BROKER_REFUSED. */
export async function connectDriver(name: KafkaDriverName, options: DriverOptions): Promise<KafkaDriver> {
  if (!Object.hasOwn(DRIVERS, name)) {
    const choices = Object.keys(DRIVERS).join(', ')
    throw new DuologError('INVALID_ARGUMENT', `driver must be one of ${choices}, got ${String(name)}.`)
  }
  const connect = await DRIVERS[name]()
  return connect(options)
}
