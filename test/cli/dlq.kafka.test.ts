import { expect, it } from 'vitest'
import { listDeadLetters } from '../../src/processing/dead-letters.ts'
import { plainClient } from '../kafka/log-check.ts'
import { until } from '../processing/logs.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { deskOn, dlqSuite } from './dlq-suite.ts'

describeKafka('on a broker', () => {
  const prefix = uniquePrefix('dlq')
  const log = { name: 'kafka', newUrl: () => `kafka://${kafkaBrokers}/?prefix=${prefix}` }
  const desk = deskOn(log)
  dlqSuite(log, desk)

  it("a stranger's record: shown in bytes, redriven as it was", async () => {
    const { store, dlq } = desk()
    const value = Buffer.from([0xff, 0x00, 0xfe])
    const producer = plainClient(kafkaBrokers).producer()
    await producer.connect()
    await producer.send({ topic: `${prefix}jobs`, messages: [{ key: 'his', value }] })
    await producer.disconnect()
    await until(async () => (await listDeadLetters(store, 'jobs')).length === 1)
    const [letter] = await listDeadLetters(store, 'jobs')
    const { stdout } = await dlq('show', letter?.id ?? '')
    expect(stdout).toContain('error      RECORD_UNREADABLE: ')
    expect(stdout).toContain(value.toString('base64'))
    expect((await dlq('redrive', '--all')).stdout).toContain('1 dead letter redriven, 0 refused.')
    await until(async () => (await listDeadLetters(store, 'jobs'))[0]?.redrives === 1)
    const [again] = await listDeadLetters(store, 'jobs')
    expect(again).toMatchObject({ key: 'his', raw: { value: value.toString('base64') } })
  })
})
