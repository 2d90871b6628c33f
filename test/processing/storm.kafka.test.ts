import { expect, it } from 'vitest'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { stormOn, stormSize } from './storm-run.ts'

describeKafka('on a broker', () => {
  /** V1, P2, P6; a minute and 50,000 events: DUOLOG_LONG=1, or npm run storm:processing -- --log kafka. */
  it('members come and go every second: nothing lost, nothing twice, in order', async () => {
    const newLog = () => `kafka://${kafkaBrokers}/?leaseMs=1000&prefix=${uniquePrefix('storm')}`
    const storm = await stormOn(newLog, stormSize)
    expect(storm).toMatchObject({ joined: stormSize.seconds, events: stormSize.events, violations: [] })
    expect(storm.killed).toBeGreaterThan(0)
  })
})
