import { describe, expect, it } from 'vitest'
import type { FetchedRecord } from '../../src/kafka/driver.ts'
import { assignRoundRobin } from '../../src/kafka/drivers/group-assignment.ts'
import { Contention } from '../../src/store/kafka/contention.ts'
import { decodeRecord, encodeRecord } from '../../src/store/kafka/record-codec.ts'
import type { PreparedRecord } from '../../src/store/prepare-append.ts'

describe('Contention', () => {
  function doors() {
    const state = { now: 0, random: 0 }
    return { state, contention: new Contention({ now: () => state.now, random: () => state.random }) }
  }

  it('F1 who was not writing lately takes over at once', () => {
    const { state, contention } = doors()
    expect(contention.politePauseMs()).toBe(0)
    contention.tookOver()
    contention.committed()
    state.now += 500
    expect(contention.politePauseMs()).toBe(0)
  })

  it('F2 F3 who was fenced while writing waits a hold; longer from the second time in a row without a commit', () => {
    const { state, contention } = doors()
    contention.tookOver()
    contention.committed()
    expect(contention.politePauseMs()).toBeCloseTo(0.75 * 80)
    state.random = 1
    const pauses = [1, 2, 3, 4, 5, 6].map(() => {
      contention.tookOver()
      return contention.politePauseMs()
    })
    expect(pauses).toEqual([100, 200, 400, 800, 800, 800])
    contention.committed()
    expect(contention.politePauseMs()).toBe(100)
  })

  it('F4 a hold is several takeovers long', async () => {
    const { state, contention } = doors()
    for (let round = 0; round < 50; round++) {
      await contention.beforeTakeOver()
      contention.tookOver()
      state.now += 60
      contention.committed()
      state.now += 1000
    }
    contention.committed()
    expect(contention.politePauseMs()).toBeCloseTo(0.75 * 3 * 60, -1)
  })
})

describe('assignRoundRobin', () => {
  const topics = [
    { topic: 'a', partitions: 3 },
    { topic: 'b', partitions: 1 },
  ]

  it('gives every partition to one of those who read its topic, evenly, whatever the order of the members', () => {
    const members = ['m3', 'm1', 'm2'].map((memberId) => ({ memberId, topics: ['a', 'b'] }))
    const expected = { m1: { a: [0], b: [0] }, m2: { a: [1] }, m3: { a: [2] } }
    expect(Object.fromEntries(assignRoundRobin(members, topics))).toEqual(expected)
    expect(Object.fromEntries(assignRoundRobin(members.reverse(), topics))).toEqual(expected)
  })

  it('gives nobody what it does not read, and leaves alone what nobody reads', () => {
    const members = [{ memberId: 'm1', topics: ['b'] }]
    expect(Object.fromEntries(assignRoundRobin(members, topics))).toEqual({ m1: { b: [0] } })
  })
})

describe('record codec', () => {
  const record: PreparedRecord = {
    topic: 'session.events',
    key: 'Zürich',
    eventId: 'e-1',
    type: 'A: b',
    version: 3,
    timestamp: '2026-11-23T12:00:00.000Z',
    correlationId: 'c',
    causationId: 'd',
    headers: { traceparent: '00-ü' },
    dataJson: '{"n":1}',
  }
  const place = { topic: 'p.session.events', partition: 2, sequence: 7, idempotencyKey: 'k' }

  function onTheWire(headers: FetchedRecord['headers'] = {}): FetchedRecord {
    const { key, value, headers: own } = encodeRecord(record, place)
    const bytes = Object.entries(own).map(([name, text]) => [name, Buffer.from(text)])
    return { offset: 9, timestampMs: 0, key, value, headers: { ...Object.fromEntries(bytes), ...headers } }
  }

  it('gives back what it was given', () => {
    const { topic: _topic, dataJson: _dataJson, ...envelope } = record
    expect(decodeRecord(onTheWire(), { topic: 'session.events', partition: 2 })).toEqual({
      record: {
        message: { ...envelope, data: { n: 1 }, topic: 'session.events', partition: 2, offset: 9 },
        sequence: 7,
        idempotencyKey: 'k',
      },
    })
  })

  it('writes the CloudEvents headers and those of the first plan', () => {
    expect(encodeRecord(record, place).headers).toMatchObject({
      'content-type': 'application/json',
      ce_specversion: '1.0',
      ce_id: 'e-1',
      ce_type: 'A: b',
      ce_time: '2026-11-23T12:00:00.000Z',
      ce_subject: 'Zürich',
      ce_sequence: '0000000000000007',
      'event-type': 'A: b',
      'aggregate-id': 'Zürich',
      'sequence-number': '7',
    })
  })

  it('takes the last of a repeated header, and null for none', () => {
    const headers = { ce_type: [Buffer.from('x'), Buffer.from('y')], ce_causationid: null }
    const decoded = decodeRecord(onTheWire(headers), { topic: 'session.events', partition: 2 })
    expect(decoded).toMatchObject({ record: { message: { type: 'y' } } })
    expect('record' in decoded && 'causationId' in decoded.record.message).toBe(false)
  })

  it("reads another producer's CloudEvent: its own schema is version 1, its time the broker's", () => {
    const record = {
      offset: 1,
      timestampMs: 0,
      key: Buffer.from('k'),
      value: Buffer.from('[]'),
      headers: { ce_id: '1', ce_type: 'T', ce_dataschema: 'https://example.com/T' },
    }
    expect(decodeRecord(record, { topic: 't', partition: 0 })).toMatchObject({
      record: {
        message: { version: 1, timestamp: '1970-01-01T00:00:00.000Z', correlationId: 'k' },
        sequence: undefined,
      },
    })
  })
})
