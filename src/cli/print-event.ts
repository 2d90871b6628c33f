import type { RecordedEvent } from '../core/event.ts'
import { shortData } from './event-data.ts'
import { printLines } from './output.ts'
import { truncate } from './render/width.ts'

export interface PrintEventOptions {
  readonly json?: true | undefined
  /** For events of many streams. */
  readonly showStream?: boolean
}

/** One line, as it was stored: also what only another version of the package understands. */
export function printEvent(event: RecordedEvent, { json, showStream = false }: PrintEventOptions): Promise<void> {
  if (json) return printLines([JSON.stringify(event)])
  const { stream, streamPosition, timestamp, type, data } = event
  const place = `${showStream ? `${stream} ` : ''}${String(streamPosition).padStart(4)}`
  const line = `${place}  ${timestamp}  ${type.padEnd(22)}  ${shortData(data)}`
  return printLines([process.stdout.isTTY ? truncate(line, process.stdout.columns || 80) : line])
}
