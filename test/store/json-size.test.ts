import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memoryBlobs } from '../../src/store/blobs.ts'
import { mayExceed } from '../../src/store/json-size.ts'
import { checkIn, isCheckedIn } from '../../src/store/large-event.ts'

const text = fc.string({ unit: fc.constantFrom('a', '"', '\\', '\n', '\u0000', 'ü', '€', '🦉', '\ud800') })
const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  fc.constant(-Number.MAX_VALUE),
)
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    text,
    number,
    fc.boolean(),
    fc.constant(null),
    fc.date({ noInvalidDate: true }),
    tie('items'),
    tie('object'),
  ),
  items: fc.array(tie('value'), { maxLength: 12 }),
  object: fc.dictionary(text, tie('value'), { maxKeys: 8, noNullPrototype: false }),
}))

const bytesOf = (data: unknown) => Buffer.byteLength(JSON.stringify(data))

describe('mayExceed', () => {
  it('never says no where the answer is yes', () => {
    fc.assert(
      fc.property(value, fc.double({ min: 0, max: 1, noNaN: true }), (data, share) => {
        const bytes = bytesOf(data)
        expect(mayExceed(data, bytes - 1)).toBe(true)
        expect(mayExceed(data, Math.floor((bytes - 1) * share))).toBe(true)
      }),
      { numRuns: 3000 },
    )
  })

  it.each([
    ['empty texts', Array.from({ length: 100 }, () => '')],
    ['control characters', '\u0000'.repeat(100)],
    ['halves of a character', '\ud800'.repeat(100)],
    ['empty lists', Array.from({ length: 100 }, () => [])],
    ['long numbers', Array.from({ length: 100 }, () => -Number.MAX_VALUE)],
    ['empty names', { '': { '': { '': '' } } }],
    ['an object that says how it looks', new URL(`https://example.org/${'x'.repeat(100)}`)],
    ['bytes', Buffer.alloc(100, 255)],
  ])('also of %s', (_what, data) => {
    expect(mayExceed(data, bytesOf(data) - 1)).toBe(true)
  })

  it('says no of what is small', () => {
    expect(mayExceed({ name: 'x'.repeat(100), of: [1, true, null, { a: '' }] }, 1000)).toBe(false)
  })
})

it('an object that says how it looks goes to the blobs by what it says', async () => {
  const data = { page: new URL(`https://example.org/${'x'.repeat(1000)}`) }
  expect(isCheckedIn(await checkIn({ type: 'T', data }, memoryBlobs(), 900))).toBe(true)
})
