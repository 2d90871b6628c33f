import { InvalidArgumentError } from 'commander'

const WORD = /(?:[^\s"']+|"[^"]*"|'[^']*')+/g

/**
 * `prog "an argument" arg` as program and arguments. Quotes group; no shell reads it, so there are no variables, pipes
 * or wildcards.
 */
export function splitCommand(text: string): string[] {
  const rest = text.replace(WORD, '').trim()
  if (rest !== '') throw new InvalidArgumentError(`A quote is not closed in: ${text}`)
  const words = text.match(WORD)?.map((word) => word.replace(/"([^"]*)"|'([^']*)'/g, '$1$2')) ?? []
  if (words.length === 0 || words[0] === '') throw new InvalidArgumentError('It names no program.')
  return words
}
