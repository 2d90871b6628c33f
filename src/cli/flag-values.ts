import { InvalidArgumentError } from 'commander'

/* How values are written on a command line. */

export function wholeNumber(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= min) return value
    throw new InvalidArgumentError(`It must be a whole number from ${min}.`)
  }
}

/** An amount of money above zero. */
export function amount(text: string): number {
  const value = Number(text)
  if (/^\d+(\.\d+)?$/.test(text) && value > 0) return value
  throw new InvalidArgumentError('It must be an amount above 0, such as 2.50.')
}

/** `work=3,review=0.5` */
export function namedValues(text: string): Record<string, string> {
  return Object.fromEntries(text.split(',').map((part) => part.split('=', 2) as [string, string]))
}
