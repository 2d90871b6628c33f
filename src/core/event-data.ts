import * as z from 'zod'
import { messageOf } from './message-of.ts'
import { isPlain } from './plain-schema.ts'
import type { StandardIssue, StandardSchema } from './standard-schema.ts'

/*
 * Between the data a program handles and the JSON the log holds. A zod schema may have codecs (a Date in the program,
 * text in the log); any other Standard Schema validates and leaves the data as it is.
 */

export type Converted =
  | { readonly ok: true; readonly data: unknown }
  | { readonly ok: false; readonly issues: string; readonly cause?: unknown }

/** From what a program has to what the log holds. */
export function encodeData(schema: StandardSchema, data: unknown): Converted {
  return converted(() => {
    if (!isZod(schema)) return validate(schema, data)
    return fromZod(isPlain(schema) ? z.safeParse(schema, data) : z.safeEncode(schema, data))
  })
}

/** From what the log holds to what a program gets. */
export function decodeData(schema: StandardSchema, data: unknown): Converted {
  return converted(() => (isZod(schema) ? fromZod(z.safeDecode(schema, data as never)) : validate(schema, data)))
}

/** What a schema throws is said with the event it is of. */
function converted(convert: () => Converted): Converted {
  try {
    return convert()
  } catch (cause) {
    return { ok: false, issues: whyThrown(cause), cause }
  }
}

/** By name: the schema is of the caller's copy of zod, and so is what it throws. */
function whyThrown(error: unknown): string {
  const said = messageOf(error)
  if (error instanceof Error && error.name === 'ZodEncodeError')
    return `${said} (a transform has no way back: use z.codec)`
  return error instanceof Error && error.constructor.name === '$ZodAsyncError' ? ASYNC : `its schema threw: ${said}`
}

const ASYNC =
  'its schema validates asynchronously (a refinement or transform with a promise), which an append and a read cannot wait for: ' +
  'check that before you append'

/** The JSON Schema of what the log holds; the schema `true` where the library cannot tell. */
export function jsonSchemaOf(schema: StandardSchema, target: 'draft-2020-12' | 'draft-7'): unknown {
  return isZod(schema) ? z.toJSONSchema(schema, { io: 'input', target, unrepresentable: 'any' }) : true
}

function isZod(schema: StandardSchema): schema is StandardSchema & z.ZodType {
  return '_zod' in schema
}

function fromZod(result: z.ZodSafeParseResult<unknown>): Converted {
  return result.success ? { ok: true, data: result.data } : { ok: false, issues: z.prettifyError(result.error) }
}

function validate(schema: StandardSchema, data: unknown): Converted {
  const result = schema['~standard'].validate(data)
  if (result instanceof Promise) {
    // Whatever becomes of it, nobody waits for it.
    result.catch(() => {})
    return { ok: false, issues: ASYNC }
  }
  return result.issues === undefined ? { ok: true, data } : { ok: false, issues: result.issues.map(pretty).join('\n') }
}

function pretty({ message, path = [] }: StandardIssue): string {
  const keys = path.map((segment) => String(typeof segment === 'object' ? segment.key : segment))
  return keys.length === 0 ? `✖ ${message}` : `✖ ${message}\n  → at ${keys.join('.')}`
}
