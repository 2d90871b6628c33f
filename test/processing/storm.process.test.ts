import { join } from 'node:path'
import { expect, it } from 'vitest'
import { stormOn, stormSize } from './storm-run.ts'

/** V1, P2, P6; a minute and 50,000 events: DUOLOG_LONG=1, or npm run storm:processing. */
it('members come and go every second: nothing lost, nothing twice, in order', async () => {
  const newLog = (folder: string) => `file:${join(folder, 'run.db')}?leaseMs=1000`
  const storm = await stormOn(newLog, stormSize)
  expect(storm).toMatchObject({ joined: stormSize.seconds, events: stormSize.events, violations: [] })
  expect(storm.killed).toBeGreaterThan(0)
})
