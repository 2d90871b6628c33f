import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { compatSuite } from './coordinator-suite.ts'

const folders: string[] = []
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

compatSuite('memory', () => openEventStore('memory:'))
compatSuite('file', async () => {
  folders.push(await mkdtemp(join(tmpdir(), 'duolog-compat-')))
  return openEventStore(`file:${join(folders.at(-1)!, 'log.db')}`)
})
