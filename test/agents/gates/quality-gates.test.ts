import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { openMemoryStore } from '../../../src/store/memory/memory-store.ts'
import { openEventStore } from '../../../src/store/open-event-store.ts'
import { qualityGatesSuite } from './quality-gates-suite.ts'

qualityGatesSuite('memory', async () => openMemoryStore())

qualityGatesSuite('file', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'duolog-gates-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return openEventStore(`file:${join(dir, 'log.db')}`)
})
