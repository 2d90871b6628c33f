import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { sessionEventData } from '../../src/agents/session/schemas.ts'
import { encodeData } from '../../src/core/event-data.ts'
import { isPlain } from '../../src/core/plain-schema.ts'

const tree: z.ZodType = z.object({ name: z.string(), children: z.array(z.lazy(() => tree)) })
const date = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (value) => value.toISOString(),
})

describe('a schema that is the same both ways', () => {
  it.each([
    [
      'objects of texts, numbers and lists',
      z.strictObject({ a: z.string().min(1), b: z.array(z.int()).optional() }),
      true,
    ],
    ['records and unions', z.record(z.string(), z.union([z.literal(true), z.enum(['x']), z.null()])), true],
    ['one that holds itself', tree, true],
    ['any JSON', z.json(), true],
    ['a codec within', z.object({ at: z.array(date).optional() }), false],
    ['a default', z.object({ a: z.string().default('x') }), false],
    ['a transform', z.string().transform(Number), false],
    ['what is frozen when it is read', z.object({ a: z.string() }).readonly(), false],
    ['one behind a lazy one', z.object({ a: z.lazy(() => date) }), false],
  ])('%s', (_what, schema, plain) => {
    expect(isPlain(schema)).toBe(plain)
    expect(isPlain(schema)).toBe(plain)
  })

  it('is what the events of a session have, but those with settings', () => {
    const others = Object.entries(sessionEventData).filter(([, schema]) => !isPlain(schema))
    expect(others.map(([name]) => name)).toEqual(['SessionCreated', 'SessionForked'])
  })

  it('refuses and strips as encoding does', () => {
    const schema = z.object({ a: z.string().min(2).trim(), b: z.number().refine((b) => b > 0, 'too small') })
    for (const data of [{ a: ' xy ', b: 1, c: 1 }, { a: 'x', b: 0 }, { a: 1 }, null]) {
      const encoded = z.safeEncode(schema, data as never)
      const { success, data: wanted, error } = encoded
      const issues = error && z.prettifyError(error)
      expect(encodeData(schema, data)).toEqual(success ? { ok: true, data: wanted } : { ok: false, issues })
    }
  })
})
