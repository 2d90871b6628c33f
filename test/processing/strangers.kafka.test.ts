import { expect, it } from 'vitest'
import type { NewEvent, RecordedEvent } from '../../src/core/event.ts'
import { listDeadLetters, redriveDeadLetters } from '../../src/processing/dead-letters.ts'
import type { Projected } from '../../src/processing/projection.ts'
import { startProcessor } from '../../src/processing/start-processor.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { describeKafka, kafkaBrokers, uniquePrefix } from '../support/kafka.ts'
import { plainKafka } from '../support/plain-kafka.ts'
import { until, workbench } from './logs.ts'

const TOPIC = 'jobs'

interface Bytes {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly partition: number
  readonly headers: Readonly<Record<string, unknown>>
}

describeKafka('records by strangers in a processed topic', () => {
  const bench = workbench()
  const client = plainKafka(kafkaBrokers, { clientId: 'stranger' })

  async function send(topic: string, messages: Parameters<ReturnType<typeof client.producer>['send']>[0]['messages']) {
    const producer = client.producer()
    await producer.connect()
    await producer.send({ topic, messages })
    await producer.disconnect()
  }

  /** With the library alone, not by our code. */
  async function readAll(topic: string, count: number): Promise<Bytes[]> {
    const consumer = client.consumer({ groupId: uniquePrefix(topic) })
    const seen: Bytes[] = []
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({
      eachMessage: async ({ message: { key, value, headers = {} }, partition }) =>
        void seen.push({ key, value, partition, headers }),
    })
    await until(() => seen.length >= count)
    await consumer.disconnect()
    return seen
  }

  it('what is no message goes to the dead letters byte by byte, the rest goes on; redriven it is the same again', async () => {
    const prefix = uniquePrefix('raw')
    const store = await bench.open(`kafka://${kafkaBrokers}/?prefix=${prefix}`)
    await store.appendToStream('sender', [], { outgoing: [{ type: 'Job', data: 1, topic: TOPIC, key: 'k' }] })
    const notUtf8 = Buffer.from([0xff, 0xfe, 0x00, 0x80])
    const half = Buffer.from('{"half":')
    const spaced = Buffer.from('{ "n": 12345678901234567890, "f": 1.0 }')
    await send(`${prefix}${TOPIC}`, [
      { key: notUtf8, value: half, partition: 2, headers: { binary: notUtf8 } },
      { key: null, value: notUtf8, partition: 1 },
      { key: 'gone', value: null, partition: 0 },
      { key: 'k', value: spaced, partition: 0, headers: { ce_id: 'e1', ce_type: 'Job' } },
    ])
    const seen: Projected[] = []
    bench.running(
      startProcessor({
        store,
        group: 'workers',
        topics: [TOPIC],
        handler: async (message) => {
          if (message.eventId === 'e1') return { kind: 'deadLetter', reason: 'no foreign ones' }
          seen.push(message)
        },
      }),
    )
    await until(async () => (await listDeadLetters(store, TOPIC)).length === 4 && seen.length === 1)
    const letters = await listDeadLetters(store, TOPIC)
    expect(new Set(letters.map(({ error }) => error))).toEqual(new Set(['RECORD_UNREADABLE', 'deadLetter']))
    const dead = await readAll(`${prefix}${TOPIC}.dlq`, 4)
    const byValue = (records: readonly Bytes[], value: Buffer | null) =>
      records.find((record) => (value === null ? record.value === null : record.value?.equals(value)))
    expect(byValue(dead, half)?.key).toEqual(notUtf8)
    expect(byValue(dead, half)?.headers).toMatchObject({
      binary: notUtf8,
      'kafka_dlt-original-topic': Buffer.from(TOPIC),
      'kafka_dlt-original-partition': Buffer.from('2'),
      'kafka_dlt-exception-fqcn': Buffer.from('RECORD_UNREADABLE'),
    })
    expect(byValue(dead, notUtf8)?.key).toBeNull()
    expect(byValue(dead, null)?.key).toEqual(Buffer.from('gone'))
    expect(byValue(dead, spaced)?.headers).toMatchObject({ ce_id: Buffer.from('e1') })
    expect(Object.keys(byValue(dead, spaced)?.headers ?? {})).not.toContain('ce_source')
    await redriveDeadLetters(store, TOPIC, { by: 'test' })
    const again = (await readAll(`${prefix}${TOPIC}`, 9)).filter(({ headers }) => 'redrive-of' in headers)
    expect(again).toHaveLength(4)
    expect(byValue(again, half)).toMatchObject({ key: notUtf8, partition: 2 })
    expect(byValue(again, notUtf8)).toMatchObject({ key: null, partition: 1 })
    expect(byValue(again, spaced)?.headers).toMatchObject({ 'redrive-count': Buffer.from('1') })
    await until(async () => (await listDeadLetters(store, TOPIC)).length === 4)
    expect((await listDeadLetters(store, TOPIC)).map(({ redrives }) => redrives)).toEqual([1, 1, 1, 1])
  })

  it.each(['kafkajs', 'platformatic'])(
    'put aside and sent again a record has its key, its value and each of its headers as they were (%s)',
    async (driver) => {
      const prefix = uniquePrefix('bytes')
      const store = await bench.open(`kafka://${kafkaBrokers}/?prefix=${prefix}&driver=${driver}`)
      const ours = {
        ...{ type: 'Größe', data: { 2: 'zwei', 1: 'Übergröße \u{1f433} \u2028', n: 1e21 }, key: 'schlüssel' },
        ...{ eventId: 'ours', correlationId: 'zusammenhang-ä', causationId: 'ursache-ö' },
        headers: { plain: 'text', umlaut: 'grüße, \u{1f433}', empty: '', tracestate: 'a=1' },
      }
      const notUtf8 = Buffer.from([0xff, 0xfe, 0x00, 0x80])
      await store.appendToStream('sender', [{ type: 'Asked', data: 1 }], { outgoing: [{ ...ours, topic: TOPIC }] })
      await send(`${prefix}${TOPIC}`, [
        {
          ...{ key: 'his', value: '{ "n": 1.0 }' },
          headers: { ce_id: 'his', ce_type: 'Job', bytes: notUtf8, text: 'grüße', tracestate: 'a=1' },
        },
      ])
      const originals = await readAll(`${prefix}${TOPIC}`, 2)
      const handler = async () => ({ kind: 'deadLetter', reason: 'nobody can do it' }) as const
      bench.running(startProcessor({ store, group: 'workers', topics: [TOPIC], handler }))
      await until(async () => (await listDeadLetters(store, TOPIC)).length === 2)
      const copies = await readAll(`${prefix}${TOPIC}.dlq`, 2)
      const { settled } = await redriveDeadLetters(store, TOPIC, { by: 'test' })
      expect(settled).toHaveLength(2)
      const again = (await readAll(`${prefix}${TOPIC}`, 4)).filter(({ headers }) => 'redrive-of' in headers)
      expect(originals.map(idOf).toSorted()).toEqual(['his', 'ours'])
      for (const original of originals) {
        expect(withHeadersOf(original, copies)).toEqual({ ...original, partition: expect.any(Number) })
        // A trace of its own begins: what belongs to the old one stays behind.
        const { tracestate: _, ...headers } = original.headers
        expect(withHeadersOf(original, again)).toEqual({ ...original, headers })
      }
      expect(originals.find((one) => idOf(one) === 'ours')?.headers).toMatchObject({
        umlaut: Buffer.from('grüße, \u{1f433}'),
        empty: Buffer.alloc(0),
      })
      expect(originals.find((one) => idOf(one) === 'his')?.headers).toMatchObject({ bytes: notUtf8 })
    },
  )

  it('what is no fact of the event topic goes there too, whatever its flaw; facts are handled, and their streams are whole', async () => {
    const prefix = uniquePrefix('no-facts')
    const store = await bench.open(`kafka://${kafkaBrokers}/?prefix=${prefix}`)
    const { partition } = await appendedAt(store, 's', { type: 'Mine', data: 1 })
    const claims = (sequence: string) => ({ ce_id: `forged-${sequence}`, ce_type: 'Forged', ce_sequence: sequence })
    const other = (partition + 1) % 6
    await send(`${prefix}session.events`, [
      { key: 's', value: '{}', partition, headers: claims('7') },
      { key: 's', value: '{}', partition, headers: { ce_id: 'unplaced', ce_type: 'Forged' } },
      { key: 's', value: null, partition, headers: claims('2') },
      { key: 's', value: '{"half":', partition, headers: claims('2') },
      { key: 's', value: '{}', partition: other, headers: claims('2') },
    ])
    await appendedAt(store, 's', { type: 'Mine', data: 2 })
    const seen: unknown[] = []
    const handler = async ({ type, data }: Projected) => void (type === 'Mine' && seen.push(data))
    bench.running(startProcessor({ store, group: 'workers', topics: ['session.events'], handler }))
    await until(async () => (await listDeadLetters(store, 'session.events')).length === 5 && seen.length === 2)
    const letters = await listDeadLetters(store, 'session.events')
    expect(seen).toEqual([1, 2])
    expect(letters.every(({ error }) => error === 'RECORD_UNREADABLE')).toBe(true)
    const reasons = letters.map(({ reason }) => reason).join('\n')
    for (const flaw of [
      'was not its turn',
      'no header ce_sequence',
      'value is null',
      'not JSON',
      'another partition',
    ]) {
      expect(reasons).toContain(flaw)
    }
  })
})

function idOf({ headers }: Bytes): string {
  return String(headers.ce_id)
}

/** The copy of a record, of its headers those that the record has too. */
function withHeadersOf(original: Bytes, copies: readonly Bytes[]): Bytes | undefined {
  const copy = copies.find((each) => idOf(each) === idOf(original))
  const isHis = ([name]: readonly [string, unknown]) => name in original.headers
  return copy && { ...copy, headers: Object.fromEntries(Object.entries(copy.headers).filter(isHis)) }
}

async function appendedAt(store: EventStore, stream: string, event: NewEvent): Promise<RecordedEvent> {
  const { currentStreamVersion: version } = await store.appendToStream(stream, [event])
  for await (const recorded of store.readStream(stream, { from: version })) return recorded
  throw new Error('It is not there.')
}
