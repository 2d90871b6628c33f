import { startBroker } from '../support/broker.ts'
import type { ChaosLog } from './campaign.ts'
import { readRawKafka } from './raw-kafka.ts'

/** Logs on one broker, told apart by the prefix of their topics. */
export function kafkaLog(address: string): ChaosLog {
  const unique = `chaos-${process.pid}-${Date.now().toString(36)}`
  return {
    kind: 'kafka',
    leaseMs: 2_000,
    patienceMs: 60_000,
    urlOf: (name) => `kafka://${address}/?prefix=${unique}-${name}.`,
    readRaw: (logUrl) => readRawKafka(address.split(','), new URL(logUrl).searchParams.get('prefix') ?? ''),
  }
}

/** Finds a broker or starts one. */
export async function startKafkaLog(): Promise<{ log: ChaosLog; close(): Promise<void> }> {
  const broker = await startBroker()
  return { log: kafkaLog(broker.address), close: () => broker.stop() }
}
