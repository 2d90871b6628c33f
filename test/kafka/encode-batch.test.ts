import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { crc32c } from '../../src/kafka/crc32c.ts'
import { type BatchProducer, encodeBatch } from '../../src/kafka/encode-batch.ts'
import { decodeRecordBatches } from '../../src/kafka/record-batches.ts'

const PRODUCER: BatchProducer = {
  producerId: 4_294_967_301n,
  producerEpoch: 7,
  firstSequence: 9,
  transactional: true,
  timestampMs: 1_795_000_000_000,
}

const decompress = (): Buffer => {
  throw new Error('Nothing here is compressed')
}

function there(records: Parameters<typeof encodeBatch>[0]) {
  return decodeRecordBatches(encodeBatch(records, PRODUCER), decompress)
}

describe('a record batch', () => {
  it('has its producer, its times and its records in their order', () => {
    const headers = { plain: 'text', bytes: Buffer.from([0, 255]), empty: '' }
    const records = [1, 2, 3].map((n) => ({ key: Buffer.from(`k${n}`), value: Buffer.from(`v${n}`), headers }))
    const [batch] = there(records)
    expect(batch).toMatchObject({ baseOffset: 0, lastOffset: 2, producerId: PRODUCER.producerId, transactional: true })
    const found = batch?.records.map(({ key, value, timestampMs }) => [`${key}`, `${value}`, timestampMs])
    expect(found).toEqual([1, 2, 3].map((n) => [`k${n}`, `v${n}`, PRODUCER.timestampMs]))
    expect(batch?.records[1]?.headers).toEqual({
      plain: Buffer.from('text'),
      bytes: Buffer.from([0, 255]),
      empty: Buffer.alloc(0),
    })
  })

  it('keeps null apart from empty', () => {
    const [batch] = there([
      { key: null, value: Buffer.alloc(0), headers: {} },
      { key: Buffer.alloc(0), value: null, headers: {} },
    ])
    expect(batch?.records.map(({ key, value }) => [key?.length, value?.length])).toEqual([
      [undefined, 0],
      [0, undefined],
    ])
  })

  it('tells the headers asked for as text: the last one of those that repeat, none that is null', () => {
    const headers = { n1: 'first', n2: 'second', gone: 'there', no: '', other: 'ü', ['__proto__x'.slice(0, 9)]: 'own' }
    const bytes = encodeBatch([{ key: null, value: null, headers }], PRODUCER)
    bytes.write('n1', bytes.indexOf('n2')) // repeats now
    bytes[bytes.indexOf('no', bytes.indexOf('there')) + 2] = 1 // null now
    const [record] = decodeRecordBatches(bytes, decompress)[0]?.records ?? []
    const asked = record?.texts?.((name) => name !== 'gone') ?? {}
    expect(Object.entries(asked)).toEqual([
      ['n1', 'second'],
      ['other', 'ü'],
      ['__proto__', 'own'],
    ])
  })

  it('is right at every length where a length takes one byte more, in any script', () => {
    for (const text of ['x', 'ü', '語', '🦊']) {
      for (const count of [0, 1, 15, 16, 20, 21, 22, 31, 32, 63, 64, 65, 2000, 8191, 8192, 40_000]) {
        const value = Buffer.from(text.repeat(count))
        const [batch] = there([{ key: null, value, headers: { [text]: text.repeat(count % 3000) } }])
        expect(batch?.records[0]?.value?.equals(value)).toBe(true)
        expect(String(batch?.records[0]?.headers[text])).toBe(text.repeat(count % 3000))
      }
    }
  })

  it('holds what it was given, however much of its headers a record shares with the one before', () => {
    const text = fc.oneof(fc.constantFrom('', 'same', 'ü'.repeat(40)), fc.string({ unit: 'binary', maxLength: 30 }))
    const headers = fc
      .array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.oneof(text, text.map(Buffer.from))), { maxLength: 6 })
      .map(Object.fromEntries)
    const shape = fc.record({ valueBytes: fc.oneof(fc.nat(300), fc.constantFrom(0, 8000, 9000)), headers })
    const asBytes = (given: Record<string, string | Buffer>) =>
      Object.fromEntries(Object.entries(given).map(([name, value]) => [name, Buffer.from(value as string)]))
    const property = fc.property(fc.array(shape, { minLength: 1, maxLength: 12 }), (shapes) => {
      const records = shapes.map((given) => ({ key: null, value: Buffer.alloc(given.valueBytes, 7), ...given }))
      const found = there(records)[0]?.records ?? []
      const read = found.map((record) => ({ valueBytes: record.value?.length, headers: record.headers }))
      expect(read).toEqual(shapes.map((given) => ({ ...given, headers: asBytes(given.headers) })))
      for (const { value } of found) expect(value?.every((byte) => byte === 7)).toBe(true)
    })
    fc.assert(property, { numRuns: 200 })
  })

  it('is guarded by CRC-32C over all that follows', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
    const batch = encodeBatch([{ key: null, value: Buffer.from('x'), headers: {} }], PRODUCER)
    expect(batch.readUInt32BE(17)).toBe(crc32c(batch.subarray(21)))
  })
})
