import { eventText } from '../agents/session/event-text.ts'
import type { SessionEvent } from '../agents/session/schemas.ts'
import type { RecordedEvent } from '../core/event.ts'

/** An event as the page lists it. Plain text throughout: agents wrote parts of it. */
export interface EventRow {
  readonly position: number
  /** ISO time. */
  readonly at: string
  readonly type: string
  readonly text: string
  /** All of its data, shortened. */
  readonly detail: string
}

const MAX_TEXT = 240
const MAX_DETAIL = 6000

export function eventRow(event: RecordedEvent): EventRow {
  const { streamPosition: position, timestamp: at, type, data } = event
  const told = sentenceOf(event) ?? outlineOf(data)
  return {
    position,
    at,
    type,
    text: short(told.replace(/\s+/g, ' '), MAX_TEXT),
    detail: short(detailOf(data), MAX_DETAIL),
  }
}

/** What an event of another program, or of a newer version, looks like is not known here. */
function sentenceOf(event: RecordedEvent): string | undefined {
  try {
    return eventText(event) ?? bookkeeping(event as RecordedEvent<SessionEvent>)
  } catch {
    return undefined
  }
}

/** What a run passes over in its lines, and a reader of all events does not. */
function bookkeeping({ type, data }: SessionEvent): string | undefined {
  if (type === 'AgentCallReserved') return `${data.callId} is to be made`
  if (type === 'AgentCallClaimed') return `${data.callId} begun by ${data.owner}`
  return type === 'AgentCallCompleted' ? `${data.callId} answered: ${short(data.output, MAX_TEXT)}` : undefined
}

function outlineOf(data: unknown): string {
  if (!isRecord(data)) return textOf(data)
  const facts = Object.entries(data).filter(([, value]) => typeof value !== 'object')
  return facts.map(([name, value]) => `${name} ${short(String(value), 100)}`).join(' · ')
}

/** Line by line, texts as they were written. */
function detailOf(data: unknown): string {
  if (!isRecord(data)) return textOf(data)
  const lines = Object.entries(data).map(([name, value]) => `${name}: ${textOf(value)}`)
  return lines.join('\n')
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value, null, 1) ?? '')
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function short(text: string, maxCharacters: number): string {
  return text.length <= maxCharacters ? text : `${text.slice(0, maxCharacters - 1).trimEnd()}…`
}
