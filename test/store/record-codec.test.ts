import fc from 'fast-check'
import { expect, it } from 'vitest'
import { encodeBatch } from '../../src/kafka/encode-batch.ts'
import { decodeRecordBatches } from '../../src/kafka/record-batches.ts'
import { encodeRecord, readFields } from '../../src/store/kafka/record-codec.ts'
import { prepareAppend } from '../../src/store/prepare-append.ts'
import { systemClock, systemRandom } from '../../src/store/system.ts'

const CONTEXT = { eventTopic: 'session.events', clock: systemClock, random: systemRandom }
const PRODUCER = { producerId: 1n, producerEpoch: 0, firstSequence: 0, transactional: true, timestampMs: 0 }

const printable = (text: string) => !/\p{Cc}|\p{Surrogate}/u.test(text)
const name = fc.oneof(
  fc.constantFrom('5', '10', 'Ü:%', 'a:2', '__proto__', 'constructor', 'true', '語🦊', '\uFEFF'),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).filter(printable),
)
const headerName = name.filter((text) => !/^(ce_|duolog-)/i.test(text))
const headers = fc
  .array(fc.tuple(headerName, fc.oneof(fc.constant(''), name)), { maxLength: 5 })
  .map((all) => Object.fromEntries(all))
const data = fc.oneof(
  fc.jsonValue(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('\uD800', '\0', '\uFEFF', -0, null),
)
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })

const appends = fc.record({
  stream: name,
  key: optional(name),
  sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  event: fc.record(
    {
      type: name,
      data,
      eventId: name,
      version: fc.nat().map((n) => n + 1),
      correlationId: name,
      causationId: name,
      headers,
    },
    { requiredKeys: ['type', 'data'] },
  ),
})

it('C3 what we know of a record without decoding it is what decoding its bytes says', () => {
  fc.assert(
    fc.property(appends, ({ stream, event, sequence, key: idempotencyKey }) => {
      const options = idempotencyKey === undefined ? {} : { idempotencyKey }
      const [prepared] = prepareAppend(stream, [event], options, CONTEXT).events
      const own = encodeRecord(prepared!, { topic: 'session.events', partition: 0, sequence, idempotencyKey })
      const [read] = decodeRecordBatches(encodeBatch([own], PRODUCER), (_, bytes) => bytes)[0]!.records
      const known = readFields({ ...own, own: own.fields, offset: 0, timestampMs: 0 })
      const decoded = readFields(read!)
      expect(decoded).toEqual({ record: { ...own.fields, data: JSON.parse(prepared!.dataJson) } })
      expect(known).toEqual({ record: own.fields })
      // Kept as text, so their order tells as well.
      expect(JSON.stringify('record' in decoded && decoded.record.headers)).toBe(JSON.stringify(own.fields?.headers))
    }),
    { numRuns: 1000 },
  )
})
