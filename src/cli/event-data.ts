import { plainLine } from './render/width.ts'

const MAX_VALUE_CHARS = 60

/** An event's data on one line: `callId=c1 attempt=1 output="…"`. All of it is in `--json`. */
export function shortData(data: unknown): string {
  if (typeof data !== 'object' || data === null) return shortValue(data)
  return Object.entries(data)
    .map(([name, value]) => `${name}=${shortValue(value)}`)
    .join(' ')
}

function shortValue(value: unknown): string {
  const text = plainLine(typeof value === 'string' && /^[\w.:/-]+$/.test(value) ? value : (JSON.stringify(value) ?? ''))
  return text.length <= MAX_VALUE_CHARS ? text : `${text.slice(0, MAX_VALUE_CHARS - 1)}…`
}
