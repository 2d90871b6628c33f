import { DuologError } from '../core/errors.ts'
import { plural } from '../core/format.ts'
import type { DeadLetterEntry, Settled } from '../processing/dead-letters.ts'
import type { LogFlags } from './log-flags.ts'
import { printJson, printLines } from './output.ts'
import { wantsColor } from './render/paint.ts'
import { type Column, table } from './render/table.ts'
import { plainLine } from './render/width.ts'

/*
 * Dead letters as a person reads them.
 */

const columns: readonly Column<DeadLetterEntry>[] = [
  { header: 'id', value: ({ id }) => id },
  { header: 'type', value: ({ type }) => type, maxWidth: 30 },
  { header: 'key', value: ({ key }) => key, maxWidth: 40 },
  { header: 'put aside', value: ({ at = '' }) => at.slice(0, 19).replace('T', ' ') },
  { header: 'tries', value: ({ attempts }) => attempts, align: 'right' },
  { header: 'redrives', value: ({ redrives }) => redrives, align: 'right' },
  { header: 'status', value: ({ status }) => status },
  { header: 'error', value: ({ error, reason }) => `${error}: ${reason}`, maxWidth: 60 },
]

export function printLetters(letters: readonly DeadLetterEntry[], { json }: LogFlags): Promise<void> {
  if (json) return printJson(letters)
  if (letters.length === 0) return printLines(['No dead letters.'])
  return printLines(table(letters, columns, { color: wantsColor(process.stdout) }))
}

/** `GROUP/TOPIC/PARTITION/OFFSET`; a topic's name has no slash in it, a group's may. */
export function topicOfLetter(id: string): string {
  const [, topic] = /^.+\/([^/]+)\/\d+\/\d+$/.exec(id) ?? []
  if (topic !== undefined) return topic
  throw new DuologError('INVALID_ARGUMENT', `"${id}" is no id of a dead letter: GROUP/TOPIC/PARTITION/OFFSET.`)
}

export function letterLines(letter: DeadLetterEntry): string[] {
  const { id, type, key, eventId, timestamp, at, group, attempts, redrives, error, reason, status, settled } = letter
  const fields: [string, string | undefined][] = [
    ['id', id],
    ['message', `${type} ${eventId}`],
    ['key', key],
    ['written', timestamp],
    ['put aside', `${at} by group ${group}, after ${plural(attempts, 'try').replace('trys', 'tries')}`],
    ['redriven', redrives === 0 ? undefined : `${plural(redrives, 'time')} before`],
    ['error', `${error}: ${reason}`],
    ['status', settled === undefined ? status : `${status} by ${settled.by}, ${settled.at}`],
    ['because', settled?.reason],
    ['sent to', settled?.to],
    ['trace', settled?.traceparent],
    ...Object.entries(letter.headers).map(([name, value]): [string, string] => ['header', `${name}: ${value}`]),
  ]
  const lines = fields.flatMap(([name, value]) =>
    value === undefined ? [] : [`${name.padEnd(10)} ${plainLine(value)}`],
  )
  return [...lines, '', ...dataLines(letter)]
}

function dataLines({ data, raw, omitted, topic, partition, offset }: DeadLetterEntry): string[] {
  if (omitted)
    return [`The data is too large to be kept here; it is record ${offset} of partition ${partition} of "${topic}".`]
  const value = raw?.value
  if (data === null && value) return ['The value in bytes, as base64:', value]
  return JSON.stringify(data, null, 2).split('\n')
}

export function printSettled(
  { settled, refused }: Settled,
  { json, dryRun, verb }: LogFlags & { readonly dryRun?: true; readonly verb: string },
): Promise<void> {
  if (json) return printJson({ dryRun: dryRun === true, [verb]: settled, refused })
  const would = dryRun ? 'would be ' : ''
  return printLines([
    ...settled.map(({ id, type }) => `${would}${verb}: ${id} (${plainLine(type)})`),
    ...refused.map(({ letter, reason }) => `refused: ${letter.id}: ${plainLine(reason)}`),
    `${plural(settled.length, 'dead letter')} ${would}${verb}, ${refused.length} refused.`,
  ])
}
