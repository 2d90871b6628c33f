import { inspect } from 'node:util'
import { type Logger, silentLogger } from '../core/logger.ts'
import { messageOf } from '../core/message-of.ts'

/** Where a program gave no logger: warnings and errors go to stderr, with the error they are about; the rest is silent. */
export const warningLogger: Logger = {
  debug() {},
  info() {},
  warn: (fields, message) => console.warn(toText('warning', fields, message)),
  error: (fields, message) => console.error(toText('error', fields, message)),
}

function toText(level: string, fields: object, message: string): string {
  const { err, error = err, ...others } = fields as Readonly<Record<string, unknown>>
  const isSaid = (value: unknown): boolean =>
    Array.isArray(value)
      ? value.every(isSaid)
      : typeof value === 'string' && value.length > 3 && message.includes(value)
  const unsaid = Object.entries(others).filter(([, value]) => value !== undefined && !isSaid(value))
  const where = unsaid.map(([name, value]) => `${name}=${short(value)}`)
  const line = `duolog: ${level}: ${message}${where.length === 0 ? '' : ` (${where.join(', ')})`}`
  return error === undefined || isSaid(error) ? line : `${line}\n${indented(toLines(error))}`
}

function short(value: unknown): string {
  return typeof value === 'string' ? value : inspect(value, { breakLength: Number.POSITIVE_INFINITY, depth: 1 })
}

/** With its stack, its code and its cause. */
function toLines(error: unknown): string {
  return typeof error === 'string' ? error : inspect(error, { depth: 2, maxArrayLength: 10, maxStringLength: 2_000 })
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, '  ')
}

/**
 * The logger for what a listener (`onError`) hears, too: one's own each time; the store's where nobody listens, and of what
 * fails again and again the first time, the 10th, the 100th …
 */
export function loggerFor(
  { logger, store }: { readonly logger?: Logger | undefined; readonly store: { readonly logger?: Logger } },
  listener: unknown,
  attempt = 1,
): Logger {
  if (logger !== undefined) return logger
  return listener === undefined && isWorthALine(attempt) ? loggerOf({ store }) : silentLogger
}

/** One's own, else the store's. */
export function loggerOf({ logger, store }: Parameters<typeof loggerFor>[0]): Logger {
  return logger ?? store.logger ?? warningLogger
}

export function isWorthALine(attempt: number): boolean {
  return /^10*$/.test(String(attempt))
}

const MOST_REMEMBERED = 1_000

/** How often the same was said before: failures that come again do not say so. */
export class Repeats {
  readonly #counts = new Map<string, number>()

  count(error: unknown): number {
    const said = messageOf(error)
    const count = (this.#counts.get(said) ?? 0) + 1
    if (this.#counts.size >= MOST_REMEMBERED) this.#counts.clear()
    this.#counts.set(said, count)
    return count
  }
}
