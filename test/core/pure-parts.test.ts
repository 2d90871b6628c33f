import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { didYouMean } from '../../src/core/did-you-mean.ts'
import {
  DuologError,
  ExpectedVersionConflictError,
  isDuologError,
  isExpectedVersionConflict,
} from '../../src/core/errors.ts'
import { uuidV7 } from '../../src/core/ids.ts'
import { murmur2, partitionOf } from '../../src/core/murmur2.ts'
import { matchesExpectedVersion } from '../../src/core/versions.ts'

const utf8 = new TextEncoder()

describe('murmur2', () => {
  // From the tests of Kafka's own Java client (UtilsTest.testMurmur2).
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('of %s is what Java computes', (text, hash) => {
    expect(murmur2(utf8.encode(text))).toBe(hash)
  })

  it('gives every key a partition there is (property)', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 1000 }), (key, count) => {
        const partition = partitionOf(utf8.encode(key), count)
        expect(partition).toBeGreaterThanOrEqual(0)
        expect(partition).toBeLessThan(count)
      }),
    )
  })
})

describe('ids', () => {
  it('are UUIDs of version 7 that sort by birth (property)', () => {
    const bytes = fc.uint8Array({ minLength: 16, maxLength: 16 })
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 47 }), fc.nat({ max: 1e6 }), bytes, bytes, (ms, later, one, two) => {
        const [first, second] = [uuidV7(ms, () => one), uuidV7(ms + later + 1, () => two)]
        expect(first).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
        expect(Number.parseInt(first.replace('-', '').slice(0, 12), 16)).toBe(ms)
        expect(first < second).toBe(true)
      }),
    )
  })
})

describe('expected versions', () => {
  it.each([
    ['NO_CONCURRENCY_CHECK', [true, true, true]],
    ['STREAM_DOES_NOT_EXIST', [true, false, false]],
    ['STREAM_EXISTS', [false, true, true]],
    [0, [true, false, false]],
    [1, [false, true, false]],
  ] as const)('%s, at versions 0, 1 and 2', (expected, matches) => {
    expect([0, 1, 2].map((current) => matchesExpectedVersion(current, expected))).toEqual(matches)
  })
})

describe('errors', () => {
  it('are told apart by code, across copies of the package', () => {
    const conflict = new ExpectedVersionConflictError('s', 1, 3)
    expect(isExpectedVersionConflict(conflict)).toBe(true)
    expect(conflict).toMatchObject({
      code: 'EXPECTED_VERSION_CONFLICT',
      stream: 's',
      expected: 1,
      current: 3,
      retry: 'now',
    })
    const foreign = Object.assign(new Error('of another copy'), { code: 'TIMEOUT', retry: 'never' })
    expect(isDuologError(foreign)).toBe(true)
    expect(isDuologError(foreign, 'TIMEOUT')).toBe(true)
    expect(isDuologError(foreign, 'ABORTED')).toBe(false)
    expect(isDuologError(Object.assign(new Error('of Node'), { code: 'ENOENT' }))).toBe(false)
    expect(isDuologError({ code: 'TIMEOUT', retry: 'never' })).toBe(false)
  })

  it('keep their cause', () => {
    const cause = new Error('below')
    expect(new DuologError('TIMEOUT', 'late', { cause, retry: { afterMs: 5 } })).toMatchObject({
      cause,
      retry: { afterMs: 5 },
    })
    expect('cause' in new DuologError('TIMEOUT', 'late')).toBe(false)
  })
})

describe('did you mean', () => {
  it('names what is close, and nothing else', () => {
    expect(didYouMean('kafak', ['memory', 'file', 'kafka'])).toBe(' Did you mean "kafka"?')
    expect(didYouMean('OrderPlacd', ['OrderClosed', 'OrderPlaced'])).toBe(' Did you mean "OrderPlaced"?')
    expect(didYouMean('https', ['memory', 'file', 'kafka'])).toBe('')
  })
})
