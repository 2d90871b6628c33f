import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { openMemoryStore } from '../../src/store/memory/memory-store.ts'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { stylesSuite } from './styles-suite.ts'

const folders: string[] = []
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

stylesSuite('memory', async () => openMemoryStore())
stylesSuite('file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'duolog-styles-'))
  folders.push(folder)
  return openEventStore(`file:${join(folder, 'log.db')}`)
})
