import { join } from 'node:path'
import type { NewLog } from './crash-run.ts'

/** Gives new logs of a kind to the long forms; the broker is found or started. */
export async function withLogs<T>(kind: string, work: (newLog: NewLog) => Promise<T>): Promise<T> {
  if (kind === 'file') return work((folder) => `file:${join(folder, 'run.db')}?leaseMs=1000`)
  if (kind !== 'kafka') throw new Error(`--log: must be file or kafka, not ${kind}`)
  const { startBroker } = await import('../support/broker.ts')
  const broker = await startBroker()
  const unique = `long-${process.pid}-${Date.now().toString(36)}`
  let logs = 0
  try {
    return await work(() => `kafka://${broker.address}/?leaseMs=1000&prefix=${unique}-${logs++}.`)
  } finally {
    await broker.stop()
  }
}
