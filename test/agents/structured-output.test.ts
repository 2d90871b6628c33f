import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  MAX_WORK_ITEMS,
  parsePlan,
  parseReview,
  planJsonSchema,
  reviewJsonSchema,
} from '../../src/agents/structured-output.ts'

const item = (id: string, dependencies: string[] = []) => ({
  id,
  title: `Title of ${id}`,
  description: 'What to do',
  acceptanceCriteria: ['it works'],
  dependencies,
})
const plan = (...workItems: object[]) => ({ strategy: 'Step by step', workItems })
const errorsOf = (value: unknown) => {
  const parsed = parsePlan({ output: typeof value === 'string' ? value : JSON.stringify(value) })
  return parsed.ok ? [] : parsed.errors
}

describe('parsePlan', () => {
  it('reads a plan and fills in the documented defaults', () => {
    const { dependencies: _, ...bare } = item('a')
    expect(parsePlan({ output: `Here:\n${JSON.stringify(plan(bare, item('b', ['a'])))}` })).toEqual({
      ok: true,
      plan: plan({ ...bare, priority: 3, dependencies: [] }, { ...item('b', ['a']), priority: 3 }),
    })
  })

  it('takes the structured answer before the text', () => {
    const parsed = parsePlan({ output: JSON.stringify(plan(item('text'))), structured: plan(item('data')) })
    expect(parsed).toMatchObject({ ok: true, plan: { workItems: [{ id: 'data' }] } })
  })

  it.each([
    ['prose', 'I would rather not.', ['The answer holds no JSON object']],
    ['an empty plan', plan(), ['workItems: is empty: plan at least one work item']],
    [
      'missing fields',
      { workItems: [{ id: 'a' }] },
      [
        'strategy: is missing',
        'workItems[0].title: is missing',
        'workItems[0].description: is missing',
        'workItems[0].acceptanceCriteria: is missing',
      ],
    ],
    [
      'no acceptance criteria',
      plan({ ...item('a'), acceptanceCriteria: [] }),
      ['workItems[0].acceptanceCriteria: must hold at least one criterion'],
    ],
    ['a priority out of range', plan({ ...item('a'), priority: 0 }), ['workItems[0].priority: must be 1 to 5']],
    ['an id that is no id', plan(item('a b')), ['workItems[0].id: must be 1 to 100 letters']],
    ['duplicate ids', plan(item('a'), item('a')), ['workItems[1].id: "a" is already the id of workItems[0]']],
    ['an unknown dependency', plan(item('a', ['x'])), ['workItems[0].dependencies[0]: no work item has the id "x"']],
    ['a cycle', plan(item('a', ['b']), item('b', ['c']), item('c', ['b'])), ['in a cycle: b → c → b']],
    ['an item that depends on itself', plan(item('a', ['a'])), ['in a cycle: a → a']],
    ['a list instead of a plan', [item('a')], ['the whole value: must be an object, is an array']],
    [
      'too many items',
      plan(...Array.from({ length: MAX_WORK_ITEMS + 1 }, (_, n) => item(`i${n}`))),
      ['plan at most 500'],
    ],
  ])('refuses %s with what to do', (_, input, expected) => {
    const errors = errorsOf(input)
    expect(errors).toHaveLength(expected.length)
    for (const [index, text] of expected.entries()) expect(errors[index]).toContain(text)
  })

  it('names at most 20 errors and counts the rest', () => {
    const errors = errorsOf(plan(...Array.from({ length: 30 }, (_, n) => item(`i${n}`, ['x']))))
    expect(errors).toHaveLength(21)
    expect(errors.at(-1)).toBe('and 10 more errors')
  })

  it('accepts exactly the graphs without a cycle', () => {
    const graph = fc.array(fc.array(fc.nat(5), { maxLength: 3 }), { minLength: 6, maxLength: 6 })
    fc.assert(
      fc.property(graph, (edges) => {
        const items = edges.map((to, from) =>
          item(
            `i${from}`,
            to.map((n) => `i${n}`),
          ),
        )
        expect(parsePlan({ output: '', structured: plan(...items) }).ok).toBe(canBeOrdered(edges))
      }),
    )
  })

  it('is asked for with a schema that refuses extra keys', () => {
    expect(planJsonSchema()).toMatchObject({
      type: 'object',
      required: ['strategy', 'workItems'],
      additionalProperties: false,
    })
    expect(reviewJsonSchema()).toMatchObject({ type: 'object', required: ['approved', 'qualityScore'] })
  })
})

/** Takes away what depends on nothing left until nothing is left. */
function canBeOrdered(edges: number[][]): boolean {
  const left = new Set(edges.keys())
  const free = () => [...left].find((n) => (edges[n] ?? []).every((to) => !left.has(to)))
  for (let next = free(); next !== undefined; next = free()) left.delete(next)
  return left.size === 0
}

describe('parseReview', () => {
  it('keeps the exact score', () => {
    const output = '{"approved": false, "qualityScore": 0.30000000000000004, "feedback": ["no"]}'
    const review = { approved: false, qualityScore: 0.30000000000000004, feedback: ['no'], recommendations: [] }
    expect(parseReview({ output })).toEqual({ ok: true, review })
  })

  it.each([
    ['prose', 'Looks good to me, approved!', 'holds no JSON object'],
    ['a score of 7', '{"approved": true, "qualityScore": 7}', 'qualityScore: must be from 0 to 1'],
    [
      'a verdict that is a word',
      '{"approved": "yes", "qualityScore": 1}',
      'approved: must be a boolean, is the text "yes"',
    ],
    ['no verdict', '{"qualityScore": 1}', 'approved: is missing: give a boolean'],
    ['a score beyond numbers', '{"approved": true, "qualityScore": 1e999}', 'qualityScore: '],
    [
      'two verdicts',
      '{"approved": true, "qualityScore": 1} {"approved": false, "qualityScore": 0}',
      '2 different JSON objects',
    ],
    ['a verdict inside a broken answer', '{"note": oops, "v": {"approved": true, "qualityScore": 1}}', 'is not valid'],
  ])('never guesses: %s', (_, output, error) => {
    expect(parseReview({ output })).toMatchObject({ ok: false, errors: [expect.stringContaining(error)] })
  })
})
