import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { openMemoryStore } from '../../src/store/memory/memory-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { forkSuite } from './fork-suite.ts'

const folders: string[] = []
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

forkSuite('memory', async () => openMemoryStore())
forkSuite('file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'duolog-fork-'))
  folders.push(folder)
  return openEventStore(`file:${join(folder, 'log.db')}`)
})
