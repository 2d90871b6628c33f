import { didYouMean } from './did-you-mean.ts'
import { DuologError } from './errors.ts'

/*
 * A misspelt option is one that was never given: a version check that does not check, a key that keeps nothing single.
 * So a name that nobody reads is refused, by the same words everywhere.
 */

/** Every name of `T`, none forgotten: the compiler compares. */
export type Names<T> = Readonly<Record<keyof Required<T>, true>>

/** Options as somebody without a compiler may give them. */
export type Given<T> = { readonly [Name in keyof T]?: unknown }

/** @throws INVALID_ARGUMENT naming what is not known; a name without a value is none. */
export function checkNames(where: string, given: unknown, known: Readonly<Record<string, unknown>>): void {
  if (given === undefined) return
  if (typeof given !== 'object' || given === null) {
    throw new DuologError(
      'INVALID_ARGUMENT',
      `${where} must be an object, got ${given === null ? 'null' : typeof given}.`,
    )
  }
  const stranger = strangerIn(given, known)
  if (stranger !== undefined) throw new DuologError('INVALID_ARGUMENT', `${where}: ${unknownName(stranger, known)}`)
}

/** The first name with a value that is not known. */
export function strangerIn(given: object, known: Readonly<Record<string, unknown>>): string | undefined {
  for (const name in given) {
    if (known[name] === undefined && (given as Record<string, unknown>)[name] !== undefined) return name
  }
  return undefined
}

export function unknownName(name: string, known: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(known)
  return `there is no "${name}".${didYouMean(name, names)} Known are ${names.join(', ')}.`
}
