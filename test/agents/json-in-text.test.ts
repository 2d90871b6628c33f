import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findJson } from '../../src/agents/json-in-text.ts'

const jsonObject = fc
  .dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 })
  .map((value) => JSON.parse(JSON.stringify(value)) as object)
  .filter((value) => Object.keys(value).length > 0)
/** Prose with everything that misleads a regular expression, but no object of its own. */
const prose = fc
  .array(
    fc.constantFrom(
      'Here it is',
      "it's",
      '{',
      '}',
      '{ x }',
      '{}',
      '[1]',
      '\n',
      'a: b',
      '\\',
      'function () {',
      '"quoted"',
      '🙂',
    ),
  )
  .map((words) => words.join(' '))

describe('findJson', () => {
  it('finds any object that is the whole text, with nested ones inside', () => {
    fc.assert(
      fc.property(jsonObject, fc.constantFrom(0, 2), (value, indent) => {
        expect(findJson(`\n ${JSON.stringify(value, null, indent)} \n`)).toEqual({ found: true, value })
      }),
    )
  })

  it('finds any object in prose', () => {
    fc.assert(
      fc.property(jsonObject, prose, prose, fc.constantFrom(0, 2), (value, before, after, indent) => {
        const text = `${before.replaceAll('"', '')} ${JSON.stringify(value, null, indent)} ${after}`
        expect(findJson(text)).toEqual({ found: true, value })
      }),
    )
  })

  it('finds any object in a fenced block', () => {
    fc.assert(
      fc.property(jsonObject, prose, fc.constantFrom('```', '````', '~~~'), (value, before, fence) => {
        const text = `${before}\n${fence}json\n${JSON.stringify(value, null, 2)}\n${fence}\nThat is all.`
        expect(findJson(text)).toEqual({ found: true, value })
      }),
    )
  })

  it('never finds a piece of an object that was cut off', () => {
    fc.assert(
      fc.property(jsonObject, fc.nat(), (value, at) => {
        const text = JSON.stringify({ outer: value, end: 1 })
        expect(findJson(text.slice(0, at % text.length)).found).toBe(false)
      }),
    )
  })

  it('never throws and is done with a megabyte of braces', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('{', '}', '"', ':', '\\', '`', '\n', 'a', ',') }),
        (text) => void findJson(text),
      ),
    )
    for (const unit of ['{', '{"', '{"a":', '{"a":{', '```\n', '{ "a" : "'] as const) {
      expect(findJson(unit.repeat(1_000_000 / unit.length)).found).toBe(false)
    }
  })

  it.each([
    ['an empty answer', ' \n', 'is empty'],
    ['prose', 'I cannot do that.', 'holds no JSON object'],
    ['an object that was cut off', 'Sure:\n{"approved": true, "feedback": [', 'starts at line 2, column 1 never ends'],
    [
      'a broken object, whose pieces look fine',
      'x {"approved": yes, "b": {"approved": true}}',
      'starts at line 1, column 3 is not valid',
    ],
    ['two objects that differ', '{"a": 1} or {"a": 2}', '2 different JSON objects'],
  ])('says what is wrong with %s', (_, text, reason) => {
    expect(findJson(text)).toMatchObject({ found: false, reason: expect.stringContaining(reason) })
  })

  it('takes the same object said twice as one', () => {
    expect(findJson('{"a": 1}, I mean\n```json\n{"a":1}\n```')).toEqual({ found: true, value: { a: 1 } })
  })

  it('tells the answer from other JSON beside it', () => {
    const text = 'The file holds {"name": "x"}. My verdict:\n```json\n{"approved": true}\n```'
    const accepts = (value: unknown) => typeof value === 'object' && value !== null && 'approved' in value
    expect(findJson(text).found).toBe(false)
    expect(findJson(text, { accepts })).toEqual({ found: true, value: { approved: true } })
    expect(findJson(`${text} Or {"approved": false}`, { accepts }).found).toBe(false)
  })

  it('is not misled by fences and braces inside strings', () => {
    const value = { code: '```json\n{"a": 1}\n```', brace: '}"{' }
    expect(findJson(`Look: ${JSON.stringify(value)} done`)).toEqual({ found: true, value })
  })
})
