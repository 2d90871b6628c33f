import { isUtf8 } from 'node:buffer'
import type { RecordedMessage } from '../../core/event.ts'
import type { DriverRecord, FetchedRecord } from '../../kafka/driver.ts'
import { flawOfKey, flawOfName } from '../check-arguments.ts'
import type { PreparedRecord } from '../prepare-append.ts'

/*
 * A record on the wire: CloudEvents 1.0 in binary mode (`ce_…` headers, the data as JSON in the value), the headers
 * of the first plan beside them (`event-type`, `correlation-id`, `aggregate-id`, `sequence-number`), and the key.
 *
 * C1 The value is never null: to Kafka that would be a deletion.
 * C2 Decoding never throws: a record that says too little or the wrong thing is a stranger, with a reason.
 * C3 A record counts or does not count by its bytes alone, so all readers agree. What we wrote we know without decoding it: it is
 *    what decoding its bytes says.
 */

export interface EncodePlace {
  readonly topic: string
  readonly partition: number
  /** For an event: its stream position. */
  readonly sequence?: number
  readonly idempotencyKey?: string | undefined
  /** For a message that is no event. */
  readonly origin?: Origin | undefined
}

/** The stream a message was appended with, and the version it had then. */
export interface Origin {
  readonly stream: string
  readonly version: number
}

/** What a record says, its data as text. */
export interface RecordFields {
  readonly key: string
  readonly eventId: string
  readonly type: string
  readonly version: number
  readonly timestamp: string
  /** Absent where it is as by default: the key. */
  readonly correlationId: string | undefined
  readonly causationId: string | undefined
  /** Those that are not ours; absent when there is none. */
  readonly headers: Readonly<Record<string, string>> | undefined
  readonly dataJson: string
  /** The stream position it claims; absent in a message that is no event. */
  readonly sequence: number | undefined
  readonly idempotencyKey: string | undefined
  /** Of a message; absent where nothing readable is claimed. */
  readonly origin: Origin | undefined
}

interface ParsedFields extends RecordFields {
  readonly data: unknown
}

export interface EncodedRecord extends DriverRecord {
  /** Of an event: what it says (C3). */
  readonly fields?: RecordFields | undefined
}

export interface DecodedRecord {
  readonly message: RecordedMessage
  /** The stream position it claims; absent in a message that is no event. */
  readonly sequence: number | undefined
  readonly idempotencyKey: string | undefined
  readonly origin: Origin | undefined
}

export type Decoded<T> = { readonly record: T } | { readonly stranger: string }

const JSON_TYPE = 'application/json'
const IDEMPOTENCY_KEY = 'duolog-idempotency-key'
const ORIGIN = 'duolog-origin'
const SEQUENCE_ZEROS = '0'.repeat(16)
const OWN = /^(ce_.*|duolog-.*|content-type|event-type|correlation-id|aggregate-id|sequence-number)$/i

export function encodeRecord(record: PreparedRecord, place: EncodePlace): EncodedRecord {
  const { sequence, idempotencyKey, origin } = place
  if (record.raw !== undefined) return encodeRaw(record.raw, record.headers, place)
  return {
    fields: sequence === undefined ? undefined : fieldsOf(record, place),
    topic: place.topic,
    partition: place.partition,
    key: keyBytes(record.key),
    value: Buffer.from(record.dataJson),
    // First what the records of one append have in common: a batch copies that from one to the next.
    headers: {
      'content-type': JSON_TYPE,
      ce_specversion: '1.0',
      ce_source: 'duolog',
      ce_type: record.type,
      ce_subject: record.key,
      ce_dataschema: schemaOf(record.type, record.version),
      ce_correlationid: record.correlationId,
      'event-type': record.type,
      'correlation-id': record.correlationId,
      'aggregate-id': record.key,
      ...(idempotencyKey !== undefined && { [IDEMPOTENCY_KEY]: idempotencyKey }),
      ce_time: record.timestamp,
      ...(record.causationId !== undefined && { ce_causationid: record.causationId }),
      ...(origin !== undefined && { [ORIGIN]: originText(origin, record.key) }),
      ce_id: record.eventId,
      ...(sequence !== undefined && sequenceHeaders(String(sequence))),
      ...record.headers,
    },
  }
}

function sequenceHeaders(digits: string) {
  return { ce_sequence: SEQUENCE_ZEROS.slice(digits.length) + digits, 'sequence-number': digits }
}

/** An append's events have one key. */
let lastKey = { text: '', bytes: Buffer.alloc(0) }

function keyBytes(text: string): Buffer {
  if (text !== lastKey.text) lastKey = { text, bytes: Buffer.from(text) }
  return lastKey.bytes
}

/** C3 */
function fieldsOf(record: PreparedRecord, { sequence, idempotencyKey, origin }: EncodePlace): RecordFields {
  const { key, eventId, type, version, timestamp, correlationId, causationId, headers, dataJson } = record
  return {
    key,
    eventId,
    type,
    version,
    timestamp,
    correlationId: correlationId === key ? undefined : correlationId,
    causationId,
    headers: Object.keys(headers).length === 0 ? undefined : headers,
    dataJson,
    sequence,
    idempotencyKey,
    origin,
  }
}

/** What was somebody's record stays his: the bytes, also where there is no value, and our headers beside his. */
function encodeRaw(
  { key, value, headers, partition }: NonNullable<PreparedRecord['raw']>,
  added: PreparedRecord['headers'],
  place: EncodePlace,
): DriverRecord {
  return {
    topic: place.topic,
    partition: partition ?? place.partition,
    key: key && Buffer.from(key),
    value: value && Buffer.from(value),
    headers: { ...Object.fromEntries(headers.map(([name, bytes]) => [name, Buffer.from(bytes)])), ...added },
  }
}

/** What can be made of a record that is no message, so that it can be spoken of. */
export function strangerMessage(
  record: FetchedRecord,
  place: { readonly topic: string; readonly partition: number },
): RecordedMessage {
  const key = nameFrom(record.key?.toString(), MAX_STRANGER_KEY_CHARACTERS) ?? `${place.topic}/${place.partition}`
  return {
    type: nameFrom(headerText(record, 'ce_type')) ?? nameFrom(headerText(record, 'event-type')) ?? 'unknown',
    data: null,
    eventId: `${place.topic}/${place.partition}/${record.offset}`,
    version: 1,
    timestamp: new Date(Math.max(0, record.timestampMs)).toISOString(),
    correlationId: key,
    headers: foreignHeaders(record.headers) ?? {},
    topic: place.topic,
    partition: place.partition,
    offset: record.offset,
    key,
  }
}

const MAX_STRANGER_KEY_CHARACTERS = 2000

function nameFrom(text: string | undefined, maxCharacters = 256): string | undefined {
  return flawOfName(text, maxCharacters) === undefined ? text : undefined
}

/** Whether a record is just what we would write for its message. One that tells where it comes from is not: that goes with it. */
export function isAllSaid(
  record: FetchedRecord,
  place: { readonly topic: string; readonly partition: number },
): boolean {
  const decoded = decodeRecord(record, place)
  if ('stranger' in decoded) return false
  const { message, sequence, idempotencyKey } = decoded.record
  const { type, eventId, correlationId, causationId = 'none' } = message
  if ([type, eventId, causationId].some((name) => flawOfName(name)) || flawOfKey(correlationId)) return false
  const prepared = { ...message, dataJson: JSON.stringify(message.data) }
  const ours = encodeRecord(prepared, { ...place, ...(sequence !== undefined && { sequence }), idempotencyKey })
  return sameBytes(ours, record)
}

function sameBytes(ours: DriverRecord, theirs: FetchedRecord): boolean {
  const names = new Set([...Object.keys(ours.headers), ...Object.keys(theirs.headers)])
  const isSame = (name: string) => {
    const [mine, his] = [ours.headers[name], theirs.headers[name]]
    if (mine === undefined || his === undefined || his === null || Array.isArray(his)) return false
    const text = his.toString()
    return !text.includes('\0') && Buffer.from(his as Buffer).equals(Buffer.from(mine as Buffer))
  }
  const value = theirs.value ?? Buffer.alloc(0)
  return (
    ours.value?.equals(value) === true && ours.key?.equals(theirs.key ?? value) === true && [...names].every(isSame)
  )
}

/** A message as consumers see it. */
export function decodeRecord(
  record: FetchedRecord,
  place: { readonly topic: string; readonly partition: number },
): Decoded<DecodedRecord> {
  const decoded = decodeFields(record)
  if ('stranger' in decoded) return decoded
  const { sequence, idempotencyKey, origin } = decoded.record
  return { record: { message: messageOf(decoded.record, place, record.offset), sequence, idempotencyKey, origin } }
}

/** Field by field: it is done for every message. */
function messageOf(
  { key, type, data, eventId, version, timestamp, correlationId = key, causationId, headers = {} }: ParsedFields,
  { topic, partition }: { readonly topic: string; readonly partition: number },
  offset: number,
): RecordedMessage {
  return causationId === undefined
    ? { type, data, eventId, version, timestamp, correlationId, headers, topic, partition, offset, key }
    : { type, data, eventId, version, timestamp, correlationId, headers, causationId, topic, partition, offset, key }
}

/** Which event of which stream it says it is, and no more: whether that is true, a replica knows. */
export function claimOf(record: FetchedRecord): { readonly stream: string; readonly sequence: number } | undefined {
  const { key } = record
  if (key === null || !isUtf8(key)) return undefined
  const digits = record.texts?.(isSequence).ce_sequence ?? headerText(record, 'ce_sequence')
  const sequence = sequenceOf(digits)
  return sequence === undefined ? undefined : { stream: key.toString(), sequence }
}

const isSequence = (name: string) => name === 'ce_sequence'

/** What the replica keeps of a record. */
export function readFields(record: FetchedRecord & { readonly own?: RecordFields | undefined }): Decoded<RecordFields> {
  return record.own === undefined ? decodeFields(record) : { record: record.own }
}

function decodeFields(record: FetchedRecord): Decoded<ParsedFields> {
  const { key: keyBytes, value } = record
  if (keyBytes === null) return { stranger: 'it has no key' }
  if (keyBytes.length === 0) return { stranger: 'its key is empty' }
  // As text two such keys could be one, and one of them a stream's name.
  if (!isUtf8(keyBytes)) return { stranger: 'its key is not UTF-8' }
  if (value === null) return { stranger: 'its value is null' }
  const key = keyBytes.toString()
  const texts = record.texts?.(isTelling) ?? textsOf(record.headers)
  const { ce_id: eventId, ce_type: type, ce_correlationid: correlationId } = texts
  if (!eventId || !type) return { stranger: `it has no header ${eventId ? 'ce_type' : 'ce_id'}` }
  const version = versionOf(texts.ce_dataschema)
  if (version === undefined) return { stranger: 'its header ce_dataschema does not end in a version' }
  const dataJson = value.toString()
  const parsed = parse(dataJson)
  if (parsed === undefined) return { stranger: 'its value is not JSON' }
  const fields: ParsedFields = {
    key,
    eventId,
    type,
    version,
    timestamp: texts.ce_time ?? new Date(record.timestampMs).toISOString(),
    correlationId: correlationId === key ? undefined : correlationId,
    causationId: texts.ce_causationid,
    headers: foreignHeaders(texts),
    data: parsed.data,
    dataJson,
    sequence: sequenceOf(texts.ce_sequence),
    idempotencyKey: texts[IDEMPOTENCY_KEY],
    origin: originOf(texts[ORIGIN], key),
  }
  return { record: fields }
}

/** `duolog:TaskAssigned:2`: the type's name percent-encoded, so that the version is what follows the last colon. */
function schemaOf(type: string, version: number): string {
  if (type !== lastSchema.type || version !== lastSchema.version) {
    lastSchema = { type, version, text: `duolog:${encodeURIComponent(type)}:${version}` }
  }
  return lastSchema.text
}

/** An append's events are mostly of one type. */
let lastSchema = { type: '', version: 0, text: '' }

/** 1 where none is claimed; nothing where the claim cannot be read. */
function versionOf(schema: string | undefined): number | undefined {
  if (schema === undefined || !schema.startsWith('duolog:')) return 1
  const version = Number(schema.slice(schema.lastIndexOf(':') + 1))
  return Number.isSafeInteger(version) && version >= 1 ? version : undefined
}

/** `7`, where the stream is what the key says, else `7 name of the stream`. */
function originText({ stream, version }: Origin, key: string): string {
  return stream === key ? String(version) : `${version} ${stream}`
}

function originOf(text: string | undefined, key: string): Origin | undefined {
  if (text === undefined) return undefined
  const [, digits, stream = key] = /^(\d+)(?: (.*))?$/s.exec(text) ?? []
  const version = sequenceOf(digits)
  return version === undefined || flawOfKey(stream) !== undefined ? undefined : { stream, version }
}

function sequenceOf(digits: string | undefined): number | undefined {
  const sequence = Number(digits)
  return digits !== undefined && /^\d+$/.test(digits) && sequence >= 1 ? sequence : undefined
}

function parse(json: string): { readonly data: unknown } | undefined {
  try {
    return { data: JSON.parse(json) }
  } catch {
    return undefined
  }
}

type Headers = FetchedRecord['headers']

export function headerText({ headers }: FetchedRecord, name: string): string | undefined {
  return text(headers[name])
}

/** The last one counts where a header repeats. */
function text(value: Headers[string]): string | undefined {
  const last = Array.isArray(value) ? value[value.length - 1] : value
  return last === undefined || last === null ? undefined : last.toString()
}

/** Ours that say something no other part of the record says. */
const TELLING = new Set([
  ...['ce_id', 'ce_type', 'ce_dataschema', 'ce_correlationid', 'ce_time', 'ce_causationid', 'ce_sequence'],
  IDEMPOTENCY_KEY,
  ORIGIN,
])

function isTelling(name: string): boolean {
  return kindOf(name) !== 'silent'
}

function isOwn(name: string): boolean {
  return kindOf(name) !== 'foreign'
}

function textsOf(headers: Headers): Readonly<Record<string, string>> {
  const texts: Record<string, string> = {}
  for (const name of Object.keys(headers)) {
    const value = isTelling(name) ? text(headers[name]) : undefined
    if (value === undefined) continue
    if (name !== '__proto__') texts[name] = value
    else Object.defineProperty(texts, name, { value, enumerable: true })
  }
  return texts
}

function foreignHeaders(headers: Headers): Readonly<Record<string, string>> | undefined {
  let foreign: [string, string][] | undefined
  for (const name of Object.keys(headers)) {
    const value = isOwn(name) ? undefined : text(headers[name])
    if (value === undefined) continue
    foreign ??= []
    foreign.push([name, value])
  }
  return foreign && Object.fromEntries(foreign)
}

type Kind = 'telling' | 'silent' | 'foreign'

/** The same few names come with every record. */
const kinds = new Map<string, Kind>()
const MAX_KINDS = 1000

function kindOf(name: string): Kind {
  const known = kinds.get(name)
  if (known !== undefined) return known
  const kind = TELLING.has(name) ? 'telling' : OWN.test(name) ? 'silent' : 'foreign'
  if (kinds.size < MAX_KINDS) kinds.set(name, kind)
  return kind
}
