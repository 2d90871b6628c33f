import { parseArgs } from 'node:util'
import type { KafkaDriverName } from '../../src/kafka/connect-driver.ts'

/** What `npm run bench -- kafka…` is asked on the command line. */
export interface KafkaBenchOptions {
  readonly driver: KafkaDriverName
  readonly dataBytes: number
}

export function kafkaBenchOptions(args: readonly string[] = process.argv.slice(3)): KafkaBenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: { driver: { type: 'string', default: 'kafkajs' }, bytes: { type: 'string', default: '1000' } },
  })
  const { driver } = values
  const dataBytes = Number(values.bytes)
  if (driver !== 'kafkajs' && driver !== 'platformatic') throw new Error('--driver must be kafkajs or platformatic')
  if (!Number.isInteger(dataBytes) || dataBytes < 1) throw new Error('--bytes must be a whole number of bytes from 1')
  return { driver, dataBytes }
}
