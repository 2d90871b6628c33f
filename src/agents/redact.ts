/*
 * Keeps obvious secrets out of the log, the page and the error messages. A net, not a wall: a secret of a form not
 * listed here, or split over two places, passes.
 */
import { anObject, checkOptions, optional, texts } from './check-options.ts'

/** Returns the text with secrets replaced by `[redacted:<kind>]`. Applying it again changes nothing. */
export type Redact = (text: string) => string

/** Options of {@link createRedactor}. */
export interface RedactorOptions {
  /**
   * Values of variables named *_KEY, *_TOKEN, *_SECRET, *_PASSWORD or *_CREDENTIALS are secrets when they have at least
   * 8 characters. Default: the environment of this process.
   */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Further texts to keep out. */
  readonly secrets?: readonly string[]
}

const MIN_SECRET_CHARS = 8

/** Bounded repeats only: agents write megabytes, and a pattern must stay linear in them. */
const PATTERNS: readonly (readonly [kind: string, pattern: RegExp])[] = [
  [
    'private-key',
    /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----[\s\S]{0,20000}?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|$)/g,
  ],
  ['api-key', /\bsk-[A-Za-z0-9_-]{16,400}/g],
  ['github-token', /\b(?:gh[pousr]_[A-Za-z0-9]{20,400}|github_pat_[A-Za-z0-9_]{20,400})/g],
  ['gitlab-token', /\bglpat-[A-Za-z0-9_-]{16,400}/g],
  ['npm-token', /\bnpm_[A-Za-z0-9]{30,400}/g],
  ['slack-token', /\bxox[abeoprs]-[A-Za-z0-9-]{10,400}/g],
  ['google-key', /\bAIza[A-Za-z0-9_-]{35}/g],
  ['aws-key', /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g],
  ['jwt', /\beyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{8,8000}\.[A-Za-z0-9_-]{8,2000}/g],
]

/** The name stays, the value goes. */
const NAMED: readonly (readonly [kind: string, pattern: RegExp])[] = [
  ['bearer', /(\bBearer\s{1,4})[A-Za-z0-9._~+/-]{16,4000}={0,3}/gi],
  ['aws-secret', /(\baws_?secret_?access_?key["']?\s{0,4}[:=]\s{0,4}["']?)[A-Za-z0-9/+=]{30,100}/gi],
  ['variable', /(\b[A-Z0-9_]{0,60}_(?:KEY|TOKEN|SECRET|PASSWORD)=["']?)[^\s"'$<[]{8,4000}/g],
  ['password', /(\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:@/]{0,200}:)[^\s:@/[]{1,400}(?=@)/gi],
]

/** What every form above has in it: nearly all texts have none of these, and are looked at once instead of a dozen times. */
const HINT =
  /PRIVATE KEY|sk-|gh[pousr]_|github_pat_|glpat-|npm_|xox|AIza|AKIA|ASIA|eyJ|Bearer|secret|_(?:KEY|TOKEN|PASSWORD)=|:\/\//i

/** Makes a {@link Redact} that knows common forms of secrets and the values of secret-looking variables. */
export function createRedactor(options: RedactorOptions = {}): Redact {
  checkOptions('options of createRedactor', options, { env: optional(anObject), secrets: optional(texts) })
  const known = alternation([...secretValues(options.env ?? process.env), ...(options.secrets ?? [])])
  return (text) => {
    const withoutKnown = known ? text.replace(known, '[redacted:secret]') : text
    if (!HINT.test(withoutKnown)) return withoutKnown
    const withoutForms = PATTERNS.reduce((out, [kind, form]) => out.replace(form, `[redacted:${kind}]`), withoutKnown)
    return NAMED.reduce((out, [kind, form]) => out.replace(form, `$1[redacted:${kind}]`), withoutForms)
  }
}

const PIECE_CHARS = 1_000_000
const KEY_BEGINS = '-----BEGIN '
/** Longer than any form above. */
const LONGEST_SECRET_CHARS = 25_000

/** Of a text of any length, in pieces between which others get their turn. */
export async function redactLong(text: string, redact: Redact): Promise<string> {
  const pieces: string[] = []
  for (let start = 0; start < text.length; ) {
    if (start > 0) await new Promise((resolve) => setTimeout(resolve))
    const end = endOfPiece(text, start)
    pieces.push(redact(text.slice(start, end)))
    start = end
  }
  return pieces.join('')
}

/** Not within a key of many lines, nor within a word where there are words. */
function endOfPiece(text: string, start: number): number {
  const end = start + PIECE_CHARS
  if (end >= text.length) return text.length
  const earliest = end - LONGEST_SECRET_CHARS
  const key = text.slice(earliest, end + KEY_BEGINS.length).indexOf(KEY_BEGINS)
  if (key > 0) return earliest + key
  const gap = ['\n', ' '].map((space) => text.lastIndexOf(space, end)).find((place) => place > earliest)
  return gap ?? end
}

/** Redacts every text inside a JSON value; keys stay. */
export function redactJson(value: unknown, redact: Redact): unknown {
  if (typeof value === 'string') return redact(value)
  if (Array.isArray(value)) return value.map((entry) => redactJson(entry, redact))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, redactJson(entry, redact)]))
}

function secretValues(env: Readonly<Record<string, string | undefined>>): string[] {
  const named = Object.entries(env).filter(([name]) => /_(KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS)$/i.test(name))
  return named.flatMap(([, value]) => (value ? [value] : []))
}

/** Longest first, so that a secret that holds another goes as a whole. */
function alternation(secrets: string[]): RegExp | undefined {
  const long = [...new Set(secrets)].filter((secret) => secret.length >= MIN_SECRET_CHARS)
  if (long.length === 0) return undefined
  const sorted = long.sort((a, b) => b.length - a.length)
  return new RegExp(sorted.map((secret) => secret.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|'), 'g')
}
