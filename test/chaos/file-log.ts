import { join } from 'node:path'
import type { ChaosLog } from './campaign.ts'
import { readRawFile } from './raw-file.ts'

/** Logs in files below the campaign's folder. */
export const fileLog: ChaosLog = {
  kind: 'file',
  leaseMs: 5_000,
  patienceMs: 30_000,
  urlOf: (name, dir) => `file:${join(dir, `${name}.db`)}`,
  readRaw: async (logUrl) => readRawFile(logUrl.slice('file:'.length)),
}
