import { join } from 'node:path'
import type { NewLog } from './crash-run.ts'

export const LOG_KINDS = ['file', 'kafka'] as const

/** Gives new logs of a kind to the long forms; the broker is found or started. */
export async function withLogs<T>(kind: (typeof LOG_KINDS)[number], work: (newLog: NewLog) => Promise<T>): Promise<T> {
  if (kind === 'file') return work((folder) => `file:${join(folder, 'run.db')}?leaseMs=1000`)
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
