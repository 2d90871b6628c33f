import { expect, it } from 'vitest'
import { startInlineProjection } from '../../src/processing/inline-projection.ts'
import { startProjection } from '../../src/processing/start-projection.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { workbench } from './logs.ts'
import { type Counted, counts } from './projection-suite.ts'

describeKafka('inline projections on a broker', () => {
  const bench = workbench()

  it('are refused with the reason and what to use instead, which then works', async () => {
    const store = await bench.open<Counted>(`kafka://${kafkaBrokers}/?prefix=${uniquePrefix('inline')}`)
    await expect(startInlineProjection({ store, projection: counts() })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/"counts" cannot be kept inline: on kafka .*startProjection.*waitFor/),
    })
    const view = bench.running(startProjection({ store, projection: counts() }))
    const appended = await store.appendToStream('a', [{ type: 'Added', data: { n: 3 } }])
    expect(await view.get('a', { after: appended })).toEqual({ count: 1, sum: 3 })
  })
})
