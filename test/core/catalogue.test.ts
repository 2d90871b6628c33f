import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { defineCatalogue, defineEvent } from '../../src/core/catalogue.ts'
import type { StandardSchema } from '../../src/core/standard-schema.ts'

const isoDate = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (date) => date.toISOString(),
})

const orderPlaced = defineEvent({
  name: 'OrderPlaced',
  version: 3,
  data: z.object({ orderId: z.string(), totalCents: z.number().int(), placedAt: isoDate }),
  upcast: {
    1: (old: { id: string; total: number }) => ({ orderId: old.id, total: old.total }),
    2: (old) => ({
      orderId: old.orderId,
      totalCents: Math.round(Number(old.total) * 100),
      placedAt: '2020-01-01T00:00:00.000Z',
    }),
  },
})
const orderClosed = defineEvent({ name: 'OrderClosed', data: z.object({ reason: z.string().optional() }) })
const catalogue = defineCatalogue([orderPlaced, orderClosed])
const placed = { orderId: 'o1', totalCents: 1250, placedAt: new Date('2026-01-01T10:00:00.000Z') }

describe('an event definition', () => {
  it('creates events of its newest version', () => {
    expect(orderPlaced.create(placed, { causationId: 'c' })).toEqual({
      type: 'OrderPlaced',
      version: 3,
      data: placed,
      causationId: 'c',
    })
  })

  it('must be readable from every version before its own', () => {
    const data = z.object({})
    expect(() => defineEvent({ name: 'E', version: 3, data, upcast: { 1: (old) => old } })).toThrow(
      'cannot be read from 2',
    )
    expect(() => defineEvent({ name: 'E', data, upcast: { 1: (old) => old } })).toThrow('is at 1 itself')
    expect(() => defineEvent({ name: 'E', version: 1.5, data })).toThrow('must be an integer from 1')
    expect(() => defineEvent({ name: '', data })).toThrow('needs a name')
  })
})

describe('the catalogue', () => {
  it('stores JSON and gives back what the program had', () => {
    const stored = catalogue.toStored(orderPlaced.create(placed), 'events[0]')
    expect(stored.data).toEqual({ ...placed, placedAt: '2026-01-01T10:00:00.000Z' })
    expect(catalogue.fromStored(stored, 'Event 1').data).toEqual(placed)
  })

  it('brings old versions up to date step by step', () => {
    const current = { orderId: 'o1', totalCents: 1234, placedAt: new Date('2020-01-01T00:00:00.000Z') }
    const v1 = { type: 'OrderPlaced', version: 1, data: { id: 'o1', total: 12.34 } }
    const v2 = { type: 'OrderPlaced', version: 2, data: { orderId: 'o1', total: 12.34 } }
    expect(catalogue.fromStored(v1, 'Event 1')).toEqual({ type: 'OrderPlaced', version: 3, data: current })
    expect(catalogue.fromStored(v2, 'Event 1')).toEqual({ type: 'OrderPlaced', version: 3, data: current })
    expect(v1.data).toEqual({ id: 'o1', total: 12.34 })
  })

  it.each([
    [
      'UNKNOWN_EVENT_TYPE',
      { type: 'OrderPlacd', data: {} },
      /events\[4\]: "OrderPlacd" .* Did you mean "OrderPlaced"\?/,
    ],
    [
      'INVALID_EVENT',
      { type: 'OrderPlaced', data: { ...placed, totalCents: '1' } },
      /expected number[\s\S]*totalCents/,
    ],
    ['INVALID_EVENT', { type: 'OrderPlaced', data: { ...placed, placedAt: 'now' } }, /events\[4\][\s\S]*placedAt/],
    ['INVALID_EVENT', { type: 'OrderClosed', version: 2, data: {} }, /has version 2, its definition 1/],
  ])('refuses to store with %s', (code, event, message) => {
    expect(thrownBy(() => catalogue.toStored(event, 'events[4]'))).toMatchObject({
      code,
      message: expect.stringMatching(message),
    })
  })

  it.each([
    ['UNKNOWN_EVENT_TYPE', { type: 'Other', data: {} }, /Event 9: "Other" is not in the event catalogue/],
    ['EVENT_VERSION_NEWER', { type: 'OrderClosed', version: 2, data: {} }, /newer program; update this one/],
    ['INVALID_EVENT', { type: 'OrderClosed', version: 1, data: { reason: 7 } }, /Event 9[\s\S]*reason/],
    ['INVALID_EVENT', { type: 'OrderPlaced', version: 1, data: null }, /from version 1 to 2/],
  ])('refuses to read with %s', (code, event, message) => {
    expect(thrownBy(() => catalogue.fromStored(event, 'Event 9'))).toMatchObject({
      code,
      message: expect.stringMatching(message),
    })
  })

  it('says that a transform has no way back', () => {
    const oneWay = defineEvent({
      name: 'OneWay',
      data: z.object({ at: z.string().transform((text) => new Date(text)) }),
    })
    const events = defineCatalogue([oneWay])
    const error = thrownBy(() => events.toStored(oneWay.create({ at: new Date(0) }), 'events[0]'))
    expect(error).toMatchObject({ code: 'INVALID_EVENT', message: expect.stringContaining('use z.codec') })
  })

  it("takes the schemas of another copy of zod, such as the user's", () => {
    const other: typeof z = createRequire(import.meta.url)('zod')
    expect(other.ZodString).not.toBe(z.ZodString)
    const at = other.codec(other.iso.datetime(), other.date(), {
      decode: (t) => new Date(t),
      encode: (d) => d.toISOString(),
    })
    const seen = defineEvent({ name: 'Seen', data: other.object({ at }) })
    const oneWay = defineEvent({ name: 'OneWay', data: other.object({ at: other.string().transform(Number) }) })
    const events = defineCatalogue([seen, oneWay])
    expect(events.toStored(seen.create({ at: new Date(0) }), '')).toMatchObject({
      data: { at: '1970-01-01T00:00:00.000Z' },
    })
    const wrong = () => events.toStored(seen.create({ at: 'now' as unknown as Date }), 'events[0]')
    expect(wrong).toThrow(/expected date, received string\n\s*→ at at/)
    expect(() => events.toStored(oneWay.create({ at: 1 }), 'events[0]')).toThrow('use z.codec')
  })

  it('passes unknown events where the log is shared', () => {
    const shared = defineCatalogue([orderClosed], { unknownEvents: 'pass' })
    const strange = { type: 'Strange', data: { a: 1 } }
    expect(shared.toStored(strange, '')).toEqual(strange)
    expect(shared.fromStored(strange, '')).toEqual(strange)
  })

  it('refuses two definitions of one name', () => {
    expect(() => defineCatalogue([orderClosed, { ...orderClosed }])).toThrow('defines "OrderClosed" twice')
  })

  it('describes the stored JSON as JSON Schema', () => {
    expect(catalogue.jsonSchemas()).toMatchObject({
      OrderPlaced: {
        type: 'object',
        required: ['orderId', 'totalCents', 'placedAt'],
        properties: { totalCents: { type: 'integer' }, placedAt: { type: 'string', format: 'date-time' } },
      },
      OrderClosed: { type: 'object' },
    })
  })

  it('takes any Standard Schema', () => {
    const evenNumber: StandardSchema<number> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value) =>
          typeof value === 'number' && value % 2 === 0 ? { value } : { issues: [{ message: 'not even', path: ['n'] }] },
      },
    }
    const counted = defineEvent({ name: 'Counted', data: evenNumber })
    const events = defineCatalogue([counted])
    expect(events.toStored(counted.create(4), '').data).toBe(4)
    expect(thrownBy(() => events.toStored(counted.create(3), ''))).toMatchObject({
      message: expect.stringContaining('✖ not even\n  → at n'),
    })
    expect(events.jsonSchemas()).toEqual({ Counted: true })
  })

  it('reads back what it stored, whatever the data (property)', () => {
    const someData = fc.record({
      orderId: fc.string(),
      totalCents: fc.maxSafeInteger(),
      placedAt: fc.date({
        min: new Date('0001-01-01T00:00:00Z'),
        max: new Date('9999-01-01T00:00:00Z'),
        noInvalidDate: true,
      }),
    })
    fc.assert(
      fc.property(someData, (data) => {
        const stored = JSON.parse(JSON.stringify(catalogue.toStored(orderPlaced.create(data), '')))
        expect(catalogue.fromStored(stored, '').data).toEqual(data)
      }),
    )
  })
})

function thrownBy(step: () => unknown): unknown {
  try {
    step()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}
