import { join } from 'node:path'
import { expect, it } from 'vitest'
import { stormOn } from './storm-run.ts'

/** V1, P2, P6; the long form: npm run storm:processing. */
it('members come and go every second: nothing lost, nothing twice, in order', async () => {
  const newLog = (folder: string) => `file:${join(folder, 'run.db')}?leaseMs=1000`
  const storm = await stormOn(newLog, { seconds: 12, events: 5_000, patienceMs: 60_000 })
  expect(storm).toMatchObject({ joined: 12, killed: 1, events: 5_000, violations: [] })
})
