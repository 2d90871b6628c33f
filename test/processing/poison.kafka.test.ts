import { expect, it } from 'vitest'
import { listDeadLetters } from '../../src/processing/dead-letters.ts'
import { defineProjection } from '../../src/processing/projection.ts'
import { startProjection } from '../../src/processing/start-projection.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { plainKafka } from '../support/plain-kafka.ts'
import { workbench } from './logs.ts'
import { poisonSuite } from './poison-suite.ts'

const newUrl = () => `kafka://${kafkaBrokers}/?prefix=${uniquePrefix('poison')}`

describeKafka('on a broker', () => {
  poisonSuite({ name: 'kafka', newUrl })

  const bench = workbench()

  it("a stranger's record in the event topic goes to the dead letters of a view that says so", async () => {
    const prefix = uniquePrefix('poison')
    const store = await bench.open(`kafka://${kafkaBrokers}/?prefix=${prefix}`)
    await store.appendToStream('a', [{ type: 'Added', data: 1 }])
    const client = plainKafka(kafkaBrokers, { clientId: 'stranger' })
    const producer = client.producer()
    await producer.connect()
    await producer.send({ topic: `${prefix}session.events`, messages: [{ key: 'a', value: '{"half":' }] })
    await producer.disconnect()
    const last = await store.appendToStream('a', [{ type: 'Added', data: 2 }])
    const sums = defineProjection<number, { type: string; data: number }>({
      name: 'sums',
      initialState: () => 0,
      handlers: { Added: (sum, { data }) => sum + data },
    })
    const skipped: unknown[] = []
    const onSkipped = (_: unknown, error: unknown) => void skipped.push(error)
    const view = bench.running(
      startProjection({ store: store as never, projection: sums, stranger: 'deadLetter', onSkipped }),
    )
    expect(await view.get('a', { after: last })).toBe(3)
    expect(await listDeadLetters(store, 'session.events')).toMatchObject([
      { error: 'RECORD_UNREADABLE', view: 'sums', raw: { value: Buffer.from('{"half":').toString('base64') } },
    ])
    expect(skipped).toMatchObject([{ code: 'RECORD_UNREADABLE' }])
  })
})
