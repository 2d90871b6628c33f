import { readFileSync } from 'node:fs'
import { type ParseArgsConfig, parseArgs } from 'node:util'

/*
 * The command line of our own scripts: what each says of itself at its top is its --help, and what is wrong is one line and
 * exit code 2.
 */

type Options = NonNullable<ParseArgsConfig['options']>
type Values<O extends Options> = ReturnType<typeof parseArgs<{ options: O }>>['values']

/** @param script its `import.meta.filename` */
export function scriptOptions<const O extends Options>(script: string, options: O): Values<O> {
  try {
    const { values } = parseArgs({ options: { ...options, help: { type: 'boolean', short: 'h' } } })
    if ((values as { help?: boolean }).help !== true) return values as unknown as Values<O>
  } catch (error) {
    return wrongUsage(error instanceof Error ? error.message : String(error))
  }
  process.stdout.write(`${headerOf(script)}\n`)
  return process.exit(0)
}

export function wrongUsage(problem: string): never {
  process.stderr.write(`${problem}\nWith --help it says what it takes.\n`)
  process.exit(2)
}

/** A number above 0. */
export function numberOf(name: string, text: string): number {
  if (/^\d{1,10}(\.\d{1,3})?$/.test(text) && Number(text) > 0) return Number(text)
  return wrongUsage(`--${name}: must be a number above 0, not ${text}`)
}

/** A whole number from 1 to 99,999. */
export function countOf(name: string, text: string): number {
  return /^[1-9]\d{0,4}$/.test(text)
    ? Number(text)
    : wrongUsage(`--${name}: must be a whole number above 0, not ${text}`)
}

/** One of a few words. */
export function oneOf<const W extends string>(name: string, words: readonly W[], text: string): W {
  return words.find((word) => word === text) ?? wrongUsage(`--${name}: must be ${words.join(' or ')}, not ${text}`)
}

function headerOf(script: string): string {
  const [, header = ''] = /\/\*\n([\s\S]*?)\n? *\*\//.exec(readFileSync(script, 'utf8')) ?? []
  return header.replaceAll(/^ \* ?/gm, '')
}
