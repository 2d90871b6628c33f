import { afterAll, describe, expect, it } from 'vitest'
import { openMemoryStore } from '../../../src/store/memory/memory-store.ts'
import { storeContract } from '../../../src/testing/store-contract.ts'

storeContract({
  name: 'memory',
  runner: { describe, it, afterAll },
  createLog: async () => ({ open: async (options) => openMemoryStore({ ...options, name: 'contract' }) }),
})

describe('memory store', () => {
  it('is a fresh log unless it has a name', async () => {
    const [one, two] = [openMemoryStore(), openMemoryStore()]
    await one.appendToStream('s', [{ type: 'Happened', data: {} }])
    expect(await two.waitForVersion('s', 0)).toBe(0)
    await Promise.all([one.close(), two.close()])
  })

  it('refuses to share a log under other topics than it has', () => {
    openMemoryStore({ name: 'topics' })
    expect(() => openMemoryStore({ name: 'topics', eventTopic: 'other.events' })).toThrow('its event topic is')
    expect(() => openMemoryStore({ name: 'topics', topics: { 'quality.gates': { partitions: 5 } } })).toThrow(
      '"quality.gates" has 2 partitions there, not 5',
    )
  })
})
