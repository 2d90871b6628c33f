import assert from 'node:assert/strict'
import type { AnyEvent } from '../../core/event.ts'
import type { AppendOptions } from '../../store/event-store.ts'
import { type ContractTest, collect, event, refused, TASK_TOPIC } from './contract-test.ts'

interface BadAppend {
  readonly what: string
  readonly code: 'INVALID_ARGUMENT' | 'INVALID_EVENT'
  /** What the message must name. */
  readonly names: RegExp
  readonly stream?: unknown
  readonly events?: unknown
  readonly options?: object
}

const cycle: { self?: unknown } = {}
cycle.self = cycle

const BAD_DATA: readonly (readonly [what: string, data: unknown, names: RegExp])[] = [
  ['undefined', undefined, /events\[1\] \(Bad\): data is undefined/],
  ['a function', { f: () => 1 }, /data\.f is a function/],
  ['a symbol', [Symbol('s')], /data\[0\] is a symbol/],
  ['a BigInt', { a: [{ b: 1n }] }, /data\.a\[0\]\.b is a BigInt/],
  ['NaN', { n: Number.NaN }, /data\.n is NaN/],
  ['a cycle', cycle, /data\.self\.self.* is a cycle/],
  ['a Map', { 'a b': new Map() }, /data\["a b"\] is a Map/],
  ['a hole in a list', { list: [1, undefined] }, /data\.list\[1\] is undefined/],
]

const BAD_ENVELOPES: readonly (readonly [what: string, event: object, names: RegExp])[] = [
  ['no type', { data: {} }, /events\[1\]: type/],
  ['an empty type', { type: '', data: {} }, /type must not be empty/],
  ['version 0', { ...event(), version: 0 }, /version must be an integer from 1, got 0/],
  ['a local timestamp', { ...event(), timestamp: '2026-01-01 10:00' }, /timestamp must look like/],
  ['a timestamp of no day', { ...event(), timestamp: '2026-13-01T00:00:00.000Z' }, /timestamp/],
  ['an empty event id', { ...event(), eventId: '' }, /eventId must not be empty/],
  ['a numeric causation id', { ...event(), causationId: 7 }, /causationId must be text/],
  ['a header of the envelope', { ...event(), headers: { ce_type: 'x' } }, /headers\["ce_type"\]/],
  ['a numeric header', { ...event(), headers: { n: 1 } }, /headers\["n"\] must be/],
]

const BAD_OPTIONS: readonly (readonly [what: string, options: object, names: RegExp])[] = [
  ['a negative version', { expectedStreamVersion: -1 }, /expectedStreamVersion/],
  ['half a version', { expectedStreamVersion: 1.5 }, /expectedStreamVersion/],
  ['a version as text', { expectedStreamVersion: '3' }, /expectedStreamVersion/],
  ['null as version', { expectedStreamVersion: null }, /expectedStreamVersion/],
  ['an object as version', { expectedStreamVersion: {} }, /expectedStreamVersion/],
  ['no number as version', { expectedStreamVersion: Number.NaN }, /expectedStreamVersion/],
  ['a misspelt constant', { expectedStreamVersion: 'STREAM_EXIST' }, /expectedStreamVersion.*STREAM_EXISTS/],
  ['an empty idempotency key', { idempotencyKey: '' }, /idempotencyKey/],
  ['a long idempotency key', { idempotencyKey: 'k'.repeat(257) }, /idempotencyKey has 257 characters, at most 256/],
  ['an outgoing without a topic', { outgoing: [{ key: 'k', ...event() }] }, /topic name/],
  ['an outgoing without a key', { outgoing: [{ topic: TASK_TOPIC, ...event() }] }, /key of outgoing\[0\]/],
  [
    'an outgoing to the event topic',
    { outgoing: [{ topic: 'session.events', key: 'k', ...event() }] },
    /outgoing\[0\]/,
  ],
  ['a checkpoint without a group', { checkpoint: { topic: 't', partition: 0, offset: 0 } }, /checkpoint\.group/],
]

const BAD_STREAMS: readonly (readonly [what: string, stream: unknown, names: RegExp])[] = [
  ['an empty stream name', '', /stream's name must not be empty/],
  ['a number as stream name', 7, /stream's name must be text/],
  ['a control character in the stream name', 'a\u0000b', /stream's name contains/],
  ['half a surrogate pair in the stream name', 'a\ud800', /stream's name contains/],
  ['a stream name of 9,000 characters', 'x'.repeat(9000), /stream's name has 9000/],
  ['a stream name of more than 8 KB', 'ä'.repeat(5000), /stream's name has 10000 bytes/],
]

const BAD_APPENDS: readonly BadAppend[] = [
  ...BAD_DATA.map(([what, data, names]) => badEvent(what, { type: 'Bad', data }, names)),
  ...BAD_ENVELOPES.map(([what, bad, names]) => badEvent(what, bad, names)),
  ...BAD_OPTIONS.map(([what, options, names]) => ({ what, code: 'INVALID_ARGUMENT' as const, names, options })),
  ...BAD_STREAMS.map(([what, stream, names]) => ({ what, code: 'INVALID_ARGUMENT' as const, names, stream })),
  { what: 'no list of events', code: 'INVALID_ARGUMENT', names: /events must be a list/, events: event() },
  badEvent('an event that is null', null, /events\[1\]/),
  {
    what: 'an idempotency key without an event',
    code: 'INVALID_ARGUMENT',
    names: /idempotencyKey needs at least one event/,
    events: [],
    options: { idempotencyKey: 'k' },
  },
]

export const refusingTests: readonly ContractTest[] = [
  ...BAD_APPENDS.map(refuses),
  {
    name: 'bad bounds of a read are refused',
    async run(t) {
      const read = (stream: string, options: object) => collect(t.store.readStream(stream, options))
      await refused(read('', {}), 'INVALID_ARGUMENT')
      await refused(read('s', { from: 0 }), 'INVALID_ARGUMENT')
      await refused(read('s', { from: 1.5 }), 'INVALID_ARGUMENT')
      await refused(read('s', { to: -1 }), 'INVALID_ARGUMENT')
      await refused(read('s', { maxCount: Number.NaN }), 'INVALID_ARGUMENT')
      const consistency = await refused(read('s', { consistency: 'eventualy' }), 'INVALID_ARGUMENT')
      assert.match(consistency.message, /consistency must be 'linearizable' or 'eventual'/)
      const fold = { initialState: () => 0, evolve: (n: number) => n, consistency: 'strong' as 'eventual' }
      await refused(t.store.aggregateStream('s', fold), 'INVALID_ARGUMENT')
      await refused(t.store.waitForVersion('s', -1), 'INVALID_ARGUMENT')
      await refused(t.store.presence.announce(''), 'INVALID_ARGUMENT')
    },
  },
]

function badEvent(what: string, bad: unknown, names: RegExp): BadAppend {
  return { what, code: 'INVALID_EVENT', names, events: [event(), bad] }
}

function refuses({ what, code, names, stream, events, options }: BadAppend): ContractTest {
  return {
    name: `P2 ${what} is refused with ${code}, and nothing is written`,
    async run(t) {
      const used = (stream ?? (what.includes('stream name') ? stream : t.name('bad'))) as string
      const bad = (events ?? [event()]) as AnyEvent[]
      const error = await refused(t.store.appendToStream(used, bad, options as AppendOptions), code)
      assert.match(error.message, names)
      if (stream === undefined) assert.deepEqual(await t.read(used), [])
    },
  }
}
