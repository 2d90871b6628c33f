import type * as z from 'zod'

/*
 * Whether a zod schema is the same both ways: what a program has is what the log holds. Then validating is all there is to
 * encoding, at half the price, since zod's encoding looks at everything twice, first without its checks.
 */

/** What a schema is made of, as zod keeps it. By name: the schema may be of the caller's copy of zod. */
interface Definition {
  readonly type: string
  readonly shape?: Readonly<Record<string, z.ZodType>>
  readonly catchall?: z.ZodType
  readonly element?: z.ZodType
  readonly innerType?: z.ZodType
  readonly options?: readonly z.ZodType[]
  readonly keyType?: z.ZodType
  readonly valueType?: z.ZodType
  readonly getter?: () => z.ZodType
}

/** Everything else is taken for one that may change what it is given: defaults, codecs, transforms, what we do not know. */
const PARTS: Readonly<Record<string, (definition: Definition) => readonly (z.ZodType | undefined)[]>> = {
  string: () => [],
  number: () => [],
  boolean: () => [],
  null: () => [],
  literal: () => [],
  enum: () => [],
  unknown: () => [],
  never: () => [],
  object: ({ shape = {}, catchall }) => [...Object.values(shape), catchall],
  array: ({ element }) => [element],
  record: ({ keyType, valueType }) => [keyType, valueType],
  optional: ({ innerType }) => [innerType],
  nullable: ({ innerType }) => [innerType],
  union: ({ options = [] }) => options,
  lazy: ({ getter }) => [getter?.()],
}

const known = new WeakMap<z.ZodType, boolean>()

export function isPlain(schema: z.ZodType): boolean {
  const before = known.get(schema)
  if (before !== undefined) return before
  const plain = isPlainWithin(schema, new Set())
  known.set(schema, plain)
  return plain
}

/** What has been met is being looked at, or was. */
function isPlainWithin(schema: z.ZodType, met: Set<z.ZodType>): boolean {
  if (met.has(schema)) return true
  met.add(schema)
  const definition = schema._zod.def as Definition
  const parts = Object.hasOwn(PARTS, definition.type) ? PARTS[definition.type]?.(definition) : undefined
  return parts?.every((part) => part === undefined || isPlainWithin(part, met)) ?? false
}
