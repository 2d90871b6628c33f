import { afterAll, describe, it } from 'vitest'
import { openSqliteStore } from '../../../src/store/sqlite/sqlite-store.ts'
import { storeContract } from '../../../src/testing/store-contract.ts'
import { tempLog } from './temp-log.ts'

storeContract({
  name: 'file',
  runner: { describe, it, afterAll },
  createLog: async () => {
    const { path, remove } = tempLog()
    return { open: (options) => openSqliteStore({ path }, options), remove: async () => remove() }
  },
})
