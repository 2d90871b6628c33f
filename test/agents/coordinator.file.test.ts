import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { openEventStore } from '../../src/store/open-event-store.ts'
import { coordinatorSuite } from './coordinator-suite.ts'

const folders: string[] = []
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

async function openFile() {
  const folder = await mkdtemp(join(tmpdir(), 'duolog-coordinator-'))
  folders.push(folder)
  return openEventStore(`file:${join(folder, 'log.db')}`)
}

coordinatorSuite('file', openFile)
