import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, it } from 'vitest'
import { memoryViews } from '../../src/processing/memory-views.ts'
import { sqliteViews } from '../../src/processing/sqlite-views.ts'
import { viewStoreContract } from '../../src/testing/view-store-contract.ts'

const runner = { describe, it, afterAll }

viewStoreContract({
  name: 'memory',
  runner,
  createViews: async () => ({ open: async () => memoryViews() }),
  shared: false,
})

viewStoreContract({
  name: 'sqlite',
  runner,
  createViews: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'duolog-views-'))
    return {
      open: () => sqliteViews(join(folder, 'views.db')),
      remove: async () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }),
    }
  },
})
