import { expect, it } from 'vitest'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { stormOn } from './storm-run.ts'

describeKafka('on a broker', () => {
  /** V1, P2, P6; the long form: npm run storm:processing -- --log kafka. */
  it('members come and go every second: nothing lost, nothing twice, in order', async () => {
    const newLog = () => `kafka://${kafkaBrokers}/?leaseMs=1000&prefix=${uniquePrefix('storm')}`
    const storm = await stormOn(newLog, { seconds: 12, events: 5_000, patienceMs: 60_000 })
    expect(storm).toMatchObject({ joined: 12, killed: 1, events: 5_000, violations: [] })
  })
})
