/*
 * Finds the one JSON object an agent meant as its answer. An answer is the whole text, a fenced block, or an outermost
 * balanced object in prose. It is never a piece of a broken object, and never one of two that disagree.
 */

export type JsonAnswer =
  | { readonly found: true; readonly value: unknown }
  /** `reason` tells the agent what to do differently. */
  | { readonly found: false; readonly reason: string }

export interface FindJsonOptions {
  /** Tells the answer from other JSON beside it (a quoted config file, an example). Default: everything is an answer. */
  readonly accepts?: (value: unknown) => boolean
}

const ONE_OBJECT = 'Answer with exactly one JSON object and nothing else.'

/** Linear in the length of the text. An empty object counts only when it is the whole text or a fenced block. */
export function findJson(text: string, options: FindJsonOptions = {}): JsonAnswer {
  if (text.trim() === '') return { found: false, reason: `The answer is empty. ${ONE_OBJECT}` }
  const whole = parse(text)
  if (whole.ok) return { found: true, value: whole.value }
  const { values: fenced, rest } = fencedValues(text)
  const { values: loose, broken } = objectsInProse(rest)
  const values = [...fenced, ...loose]
  if (values.length > 0) return choose(values, options)
  return { found: false, reason: broken ?? `The answer holds no JSON object. ${ONE_OBJECT}` }
}

function choose(values: unknown[], { accepts = () => true }: FindJsonOptions): JsonAnswer {
  const accepted = distinct(values.filter(accepts))
  const candidates = accepted.length > 0 ? accepted : distinct(values)
  if (candidates.length === 1) return { found: true, value: candidates[0] }
  return {
    found: false,
    reason: `The answer holds ${candidates.length} different JSON objects and it is not clear which one counts. ${ONE_OBJECT}`,
  }
}

function distinct(values: unknown[]): unknown[] {
  return [...new Map(values.map((value) => [JSON.stringify(value), value])).values()]
}

type Parsed = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly message: string }

function parse(text: string): Parsed {
  try {
    return { ok: true, value: JSON.parse(text.replace(/^\uFEFF/, '')) }
  } catch (error) {
    return { ok: false, message: (error as SyntaxError).message }
  }
}

/**
 * The blocks between fence lines whose whole content is JSON, and the text with those blocks blanked out. No line inside
 * a JSON value can be a fence by itself.
 */
function fencedValues(text: string): { values: unknown[]; rest: string } {
  const values: unknown[] = []
  const lines = text.split('\n')
  let open: { fence: string; from: number } | undefined
  for (const [at, line] of lines.entries()) {
    const fence = /^\s*(`{3,}|~{3,})\s*([\w+-]*)\s*$/.exec(line)
    if (open && fence?.[2] === '' && fence[1]?.startsWith(open.fence)) {
      const parsed = parse(lines.slice(open.from, at).join('\n'))
      if (parsed.ok) {
        values.push(parsed.value)
        lines.fill('', open.from, at)
      }
      open = undefined
    } else if (!open && fence?.[1]) open = { fence: fence[1], from: at + 1 }
  }
  return { values, rest: lines.join('\n') }
}

interface Prose {
  readonly values: unknown[]
  /** Why the first thing that looked like an object is none. */
  readonly broken: string | undefined
}

function objectsInProse(text: string): Prose {
  const values: unknown[] = []
  let broken: string | undefined
  let at = text.indexOf('{')
  while (at !== -1) {
    const end = startsObject(text, at) ? endOfObject(text, at) : at + 1
    if (end === -1) {
      broken ??= `The JSON object that starts at ${place(text, at)} never ends: it was cut off. Send all of it, or a shorter one.`
      break
    }
    if (end > at + 1) {
      const parsed = parse(text.slice(at, end))
      if (parsed.ok) values.push(parsed.value)
      else broken ??= `The JSON object that starts at ${place(text, at)} is not valid: ${parsed.message}. ${ONE_OBJECT}`
    }
    at = text.indexOf('{', end)
  }
  return { values, broken }
}

/** `{ "key" :` — so that braces of code and prose are passed over. */
function startsObject(text: string, at: number): boolean {
  const quote = skipSpace(text, at + 1)
  if (text[quote] !== '"') return false
  const end = endOfString(text, quote)
  return end !== -1 && !text.slice(quote, end).includes('\n') && text[skipSpace(text, end)] === ':'
}

/** One past the closing brace, or -1. Braces inside strings do not count. */
function endOfObject(text: string, start: number): number {
  let depth = 0
  for (let at = start; at < text.length; at++) {
    const char = text[at]
    if (char === '"') {
      const end = endOfString(text, at)
      if (end === -1) return -1
      at = end - 1
    } else if (char === '{') depth++
    else if (char === '}' && --depth === 0) return at + 1
  }
  return -1
}

/** One past the closing quote, or -1. */
function endOfString(text: string, quote: number): number {
  for (let at = quote + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at + 1
  }
  return -1
}

function skipSpace(text: string, from: number): number {
  let at = from
  while (' \n\r\t'.includes(text[at] ?? 'x')) at++
  return at
}

function place(text: string, at: number): string {
  const before = text.slice(0, at).split('\n')
  return `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`
}
