import { eventText } from '../agents/session/event-text.ts'
import type { RecordedEvent } from '../core/event.ts'
import { plainLine, truncate } from './render/width.ts'

/*
 * A run where there is no terminal to redraw: one plain line per event that a person would want to hear of.
 */

const MAX_TEXT_WIDTH = 200

/** `19:04:05 money: accepted`, or nothing for an event that is bookkeeping. */
export function eventLine(event: RecordedEvent): string | undefined {
  const text = eventText(event)
  return text && `${event.timestamp.slice(11, 19)} ${truncate(plainLine(text), MAX_TEXT_WIDTH)}`
}
