import type { FetchedRecord } from './driver.ts'

/*
 * The records of a fetch answer, from its bytes (record batches of format 2, which every broker since 0.11 sends).
 *
 * B1 Only whole batches count: a fetch may cut its last one short, and that one is fetched again.
 * B2 A record costs little until somebody looks into it: key, value and headers are decoded when asked for. They are
 *    views of the bytes that arrived, so who keeps one for long copies it.
 */

export interface RecordBatch {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly producerId: bigint
  readonly transactional: boolean
  /** Holds a transaction's marker and nothing else. */
  readonly control: boolean
  readonly records: readonly FetchedRecord[]
}

/** By Kafka's number of the codec: 1 gzip, 2 snappy, 3 lz4, 4 zstd. Throws for what it does not know. */
export type Decompress = (codec: number, bytes: Buffer) => Buffer

/** `baseOffset` and `length`, which `length` does not count. */
const PREFIX_BYTES = 12
const HEADER_BYTES = 61
const FORMAT = 2
const AT = { length: 8, format: 16, attributes: 21, lastDelta: 23, firstTime: 27, maxTime: 35, producer: 43, count: 57 }
const CODEC_BITS = 0x07
const LOG_APPEND_TIME = 0x08
const TRANSACTIONAL = 0x10
const CONTROL = 0x20

/** @throws when the bytes are not batches of format 2, or compressed in a way that `decompress` refuses. */
export function decodeRecordBatches(bytes: Buffer, decompress: Decompress): readonly RecordBatch[] {
  const batches: RecordBatch[] = []
  for (let at = 0; at + HEADER_BYTES <= bytes.length; ) {
    const end = at + PREFIX_BYTES + bytes.readInt32BE(at + AT.length)
    if (end > bytes.length) break
    batches.push(decodeBatch(bytes.subarray(at, end), decompress))
    at = end
  }
  return batches
}

function decodeBatch(batch: Buffer, decompress: Decompress): RecordBatch {
  const format = batch[AT.format]
  if (format !== FORMAT) throw new Error(`A record batch has format ${format}; only format ${FORMAT} can be read`)
  const baseOffset = Number(batch.readBigInt64BE(0))
  const attributes = batch.readInt16BE(AT.attributes)
  const control = (attributes & CONTROL) !== 0
  return {
    baseOffset,
    lastOffset: baseOffset + batch.readInt32BE(AT.lastDelta),
    producerId: batch.readBigInt64BE(AT.producer),
    transactional: (attributes & TRANSACTIONAL) !== 0,
    control,
    records: control ? [] : decodeRecords(batch, { baseOffset, attributes, decompress }),
  }
}

interface BatchFacts {
  readonly baseOffset: number
  readonly attributes: number
  readonly decompress: Decompress
}

function decodeRecords(batch: Buffer, { baseOffset, attributes, decompress }: BatchFacts): readonly FetchedRecord[] {
  const body = batch.subarray(HEADER_BYTES)
  const codec = attributes & CODEC_BITS
  const cursor = new Cursor(codec === 0 ? body : decompress(codec, body))
  const ownTimes = (attributes & LOG_APPEND_TIME) === 0
  const baseTimeMs = Number(batch.readBigInt64BE(ownTimes ? AT.firstTime : AT.maxTime))
  const records: FetchedRecord[] = []
  for (let left = batch.readInt32BE(AT.count); left > 0; left--) {
    const length = cursor.varint()
    const end = cursor.at + length
    cursor.at++ // the record's attributes: none are defined
    const timeDelta = cursor.varint()
    const offset = baseOffset + cursor.varint()
    records.push(new LogRecord(offset, ownTimes ? baseTimeMs + timeDelta : baseTimeMs, cursor))
    cursor.at = end
  }
  return records
}

class LogRecord implements FetchedRecord {
  readonly offset: number
  readonly timestampMs: number
  readonly #bytes: Buffer
  readonly #bodyAt: number
  #headers: FetchedRecord['headers'] | undefined

  constructor(offset: number, timestampMs: number, { bytes, at }: Cursor) {
    this.offset = offset
    this.timestampMs = timestampMs
    this.#bytes = bytes
    this.#bodyAt = at
  }

  get key(): Buffer | null {
    return new Cursor(this.#bytes, this.#bodyAt).bytesOrNull()
  }

  get value(): Buffer | null {
    const cursor = new Cursor(this.#bytes, this.#bodyAt)
    cursor.skipBytes()
    return cursor.bytesOrNull()
  }

  get headers(): FetchedRecord['headers'] {
    this.#headers ??= this.#decodeHeaders()
    return this.#headers
  }

  texts(isWanted: (name: string) => boolean): Readonly<Record<string, string>> {
    const texts: Record<string, string> = {}
    const cursor = new Cursor(this.#bytes, this.#bodyAt)
    cursor.skipBytes()
    cursor.skipBytes()
    for (let left = cursor.varint(), index = 0; left > 0; left--, index++) {
      const name = headerName(cursor, index)
      if (!isWanted(name)) {
        cursor.skipBytes()
        continue
      }
      const value = cursor.textOrNull()
      if (value !== null) put(texts, name, value)
      else delete texts[name]
    }
    return texts
  }

  #decodeHeaders(): FetchedRecord['headers'] {
    const headers: Record<string, Buffer | (Buffer | string)[] | null> = {}
    const cursor = new Cursor(this.#bytes, this.#bodyAt)
    cursor.skipBytes()
    cursor.skipBytes()
    for (let left = cursor.varint(), index = 0; left > 0; left--, index++) {
      const name = headerName(cursor, index)
      const value = cursor.bytesOrNull()
      const before = Object.hasOwn(headers, name) ? headers[name] : undefined
      put(headers, name, before === undefined ? value : repeated(before, value))
    }
    return headers
  }
}

function put<T>(headers: Record<string, T>, name: string, value: T): void {
  if (name !== '__proto__') headers[name] = value
  else Object.defineProperty(headers, name, { value, enumerable: true, configurable: true, writable: true })
}

function repeated(before: Buffer | (Buffer | string)[] | null, value: Buffer | null): (Buffer | string)[] {
  const list = Array.isArray(before) ? before : [before ?? '']
  return [...list, value ?? '']
}

/** The name at each place in the record before: nearly always the same, and comparing costs less than decoding. */
const lastNames: { readonly bytes: Buffer; readonly text: string }[] = []
const MAX_KNOWN_NAMES = 64

function headerName(cursor: Cursor, index: number): string {
  const length = cursor.varint()
  const known = lastNames[index]
  const { bytes, at } = cursor
  cursor.at += Math.max(length, 0)
  if (known !== undefined && isAt(known.bytes, bytes, at, length)) return known.text
  const text = bytes.toString('utf8', at, cursor.at)
  if (index < MAX_KNOWN_NAMES) lastNames[index] = { bytes: Buffer.from(bytes.subarray(at, cursor.at)), text }
  return text
}

function isAt(wanted: Buffer, bytes: Buffer, at: number, length: number): boolean {
  if (wanted.length !== length) return false
  for (let i = 0; i < length; i++) if (wanted[i] !== bytes[at + i]) return false
  return true
}

/** A place in bytes, moving on with what is read. Numbers are zigzag varints. */
class Cursor {
  readonly bytes: Buffer
  at: number

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes
    this.at = at
  }

  varint(): number {
    const { bytes } = this
    const first = bytes[this.at++] ?? 0
    if (first < 0x80) return (first >>> 1) ^ -(first & 1)
    let value = first & 0x7f
    let scale = 0x80
    for (;;) {
      const byte = bytes[this.at++] ?? 0
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
      scale *= 0x80
    }
  }

  bytesOrNull(): Buffer | null {
    const length = this.varint()
    if (length < 0) return null
    const start = this.at
    this.at += length
    return this.bytes.subarray(start, this.at)
  }

  textOrNull(): string | null {
    const length = this.varint()
    if (length < 0) return null
    const start = this.at
    this.at += length
    return this.bytes.toString('utf8', start, this.at)
  }

  skipBytes(): void {
    const length = this.varint()
    if (length > 0) this.at += length
  }
}
