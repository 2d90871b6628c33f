import { createRedactor } from '../agents/redact.ts'
import type { Logger } from '../core/logger.ts'
import { plainLine } from './render/width.ts'

/** Warnings and errors as one line each, without secrets; everything with DUOLOG_DEBUG=1. */
export function stderrLogger(print: (line: string) => void): Logger {
  const redact = createRedactor()
  const say = (level: string) => (fields: object, message: string) =>
    print(redact(`duolog: ${level}: ${message}${shortFields(fields)}`))
  const quiet = process.env.DUOLOG_DEBUG === '1' ? say : () => () => undefined
  return { debug: quiet('debug'), info: quiet('info'), warn: say('warning'), error: say('error') }
}

function shortFields(fields: object): string {
  const texts = Object.entries(fields).map(([name, value]) => `${name}=${plainLine(shortValue(value))}`)
  return texts.length === 0 ? '' : ` (${texts.join(', ')})`
}

function shortValue(value: unknown): string {
  if (value instanceof Error) return value.message
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
