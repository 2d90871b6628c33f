import { checkNames } from '../core/known-names.ts'
import type { Logger } from '../core/logger.ts'
import { describe, flawOfName, flawOfStore, invalidArgument } from '../store/check-arguments.ts'

/*
 * What options hold, as a table: of each name, what its value must be. A wrong name and a wrong value are refused where
 * they are written, in the same words everywhere, and not where they first matter.
 */

/** Says what is wrong with a value, or nothing. */
export type Kind = (value: unknown) => string | undefined

/** Every name of `T`, none forgotten: the compiler compares. */
export type Shape<T> = { readonly [Name in keyof Required<T>]: Kind }

/** @throws INVALID_ARGUMENT naming the field, and what to give */
export function checkOptions<T>(where: string, given: unknown, shape: Shape<T>): void {
  if (typeof given !== 'object' || given === null) {
    const names = Object.keys(shape).join(', ')
    throw invalidArgument(`${where} must be an object, got ${describe(given)}. Known are ${names}.`)
  }
  if (!('appendToStream' in shape) && flawOfStore(given) === undefined) {
    throw invalidArgument(`${where} must be an object, got an event store: give { store }.`)
  }
  checkNames(where, given, shape)
  for (const [name, kind] of Object.entries<Kind>(shape)) {
    const flaw = kind((given as Record<string, unknown>)[name])
    if (flaw !== undefined) throw invalidArgument(`${where}: ${name} ${flaw}.`)
  }
}

/** One argument by its name. @throws INVALID_ARGUMENT */
export function checkArgument(name: string, value: unknown, kind: Kind): void {
  const flaw = kind(value)
  if (flaw !== undefined) throw invalidArgument(`${name} ${flaw}.`)
}

/** May be left out. */
export function optional(kind: Kind): Kind {
  return (value) => (value === undefined ? undefined : kind(value))
}

/** Looked at elsewhere. */
export const anything: Kind = () => undefined

export const aStore: Kind = flawOfStore

export const aText: Kind = (value) => {
  if (typeof value !== 'string') return `must be text, got ${describe(value)}`
  return value.trim() === '' ? 'must not be empty' : undefined
}

/** May be empty. */
export const aString: Kind = (value) => must(typeof value === 'string', 'text', value)

/** Of a session, a group, an owner. */
export const aName: Kind = (value) => flawOfName(value)

export const aBoolean: Kind = (value) => must(typeof value === 'boolean', 'true or false', value)

export const aFunction: Kind = (value) => must(typeof value === 'function', 'a function', value)

export const aSignal: Kind = (value) => must(value instanceof AbortSignal, 'an AbortSignal', value)

export const texts: Kind = (value) =>
  must(Array.isArray(value) && value.every((each) => typeof each === 'string'), 'a list of texts', value)

export const anObject: Kind = (value) => must(isObject(value), 'an object', value)

export const aNumber: Kind = (value) =>
  must(typeof value === 'number' && value >= 0, 'a number that is not negative', value)

export function integerFrom(least: number): Kind {
  return (value) =>
    must(Number.isSafeInteger(value) && (value as number) >= least, `an integer of at least ${least}`, value)
}

export function oneOf(...values: readonly string[]): Kind {
  const known = values.map((value) => `'${value}'`).join(', ')
  return (value) => must(values.includes(value as string), `one of ${known}`, value)
}

/** An object with these functions; `example` says what to give. */
export function withFunctions(names: readonly string[], example: string): Kind {
  return (value) => {
    if (value instanceof Promise) return 'is a promise: await it first'
    const has = (name: string) => typeof (value as Record<string, unknown> | null | undefined)?.[name] === 'function'
    const missing = names.find((name) => !has(name))
    if (missing === undefined) return undefined
    if (typeof value === 'function') return `must be ${example}, got a function: give what it makes`
    return `must be ${example}, with a function "${missing}", got ${describe(value)}`
  }
}

const LOGGER: readonly (keyof Logger)[] = ['debug', 'info', 'warn', 'error']

export const aLogger = withFunctions(LOGGER, 'a logger')
export const aClock = withFunctions(['now'], 'a clock')
export const anExecutor = withFunctions(
  ['execute'],
  'an executor, such as claudeExecutor() or an object of yours with execute(request, context)',
)

/** An object, each of whose values is of this kind. */
export function eachOf(kind: Kind): Kind {
  return (value) => {
    if (!isObject(value)) return `must be an object, got ${describe(value)}`
    for (const [name, each] of Object.entries(value)) {
      const flaw = kind(each)
      if (flaw !== undefined) return `.${name} ${flaw}`
    }
    return undefined
  }
}

function must(holds: boolean, wanted: string, value: unknown): string | undefined {
  return holds ? undefined : `must be ${wanted}, got ${describe(value)}`
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
