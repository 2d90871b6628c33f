import { crc32c } from './crc32c.ts'

/*
 * A record batch of format 2, as `produce` sends it, in one buffer and one pass. Libraries build every field of every record as a
 * buffer of its own, which for records with many headers costs more than all else an append does.
 */

export interface BatchRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, string | Buffer>>
}

export interface BatchProducer {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly firstSequence: number
  readonly transactional: boolean
  /** Of all its records, milliseconds. */
  readonly timestampMs: number
}

const HEADER_BYTES = 61
const LENGTH_AT = 8
const FORMAT_AT = 16
const CRC_AT = 17
const ATTRIBUTES_AT = 21
const COUNTED_FROM = 12
const FORMAT = 2
const TRANSACTIONAL = 0x10
const MAX_VARINT_BYTES = 5
/** Up to so many characters need no more than 63 bytes, and so a length of one byte. */
const SHORT_CHARACTERS = 21
/** Most records have bodies of a length that takes two bytes. */
const USUAL_LENGTH_BYTES = 2

export function encodeBatch(records: readonly BatchRecord[], producer: BatchProducer): Buffer {
  const [first] = records
  const writer = new BatchWriter(HEADER_BYTES + (first === undefined ? 0 : records.length * mostBytesOf(first)))
  writer.at = HEADER_BYTES
  records.forEach((record, index) => void writer.record(record, index))
  const batch = writer.bytes.subarray(0, writer.at)
  writeHeader(batch, records.length, producer)
  return batch
}

function writeHeader(batch: Buffer, count: number, producer: BatchProducer): void {
  const { producerId, producerEpoch, firstSequence, transactional, timestampMs } = producer
  batch.fill(0, 0, HEADER_BYTES) // base offset and leader epoch are the broker's to set
  batch.writeInt32BE(batch.length - COUNTED_FROM, LENGTH_AT)
  batch.writeInt8(FORMAT, FORMAT_AT)
  let at = batch.writeInt16BE(transactional ? TRANSACTIONAL : 0, ATTRIBUTES_AT)
  at = batch.writeInt32BE(count - 1, at)
  at = batch.writeBigInt64BE(BigInt(timestampMs), at)
  at = batch.writeBigInt64BE(BigInt(timestampMs), at)
  at = batch.writeBigInt64BE(producerId, at)
  at = batch.writeInt16BE(producerEpoch, at)
  at = batch.writeInt32BE(firstSequence, at)
  batch.writeInt32BE(count, at)
  batch.writeUInt32BE(crc32c(batch, ATTRIBUTES_AT), CRC_AT)
}

/** The most a record takes in a batch; it may be a few bytes less for each of its lengths. */
export function bytesOf({ key, value, headers }: BatchRecord): number {
  let bytes = 6 * MAX_VARINT_BYTES + (key?.length ?? 0) + (value?.length ?? 0)
  for (const name of Object.keys(headers)) {
    const text = headers[name] as string | Buffer
    bytes += 2 * MAX_VARINT_BYTES + bytesOfName(name).length
    bytes += typeof text === 'string' ? textBytes(text) : text.length
  }
  return bytes
}

function textBytes(text: string): number {
  return text.length > SHORT_CHARACTERS ? Buffer.byteLength(text) : 3 * text.length
}

/** Not exact: enough, and without counting. A character takes at most three bytes of UTF-8. */
export function mostBytesOf({ key, value, headers }: BatchRecord): number {
  let bytes = 6 * MAX_VARINT_BYTES + (key?.length ?? 0) + (value?.length ?? 0)
  for (const name of Object.keys(headers)) {
    const { length } = headers[name] as string | Buffer
    bytes += 2 * MAX_VARINT_BYTES + 3 * (name.length + length)
  }
  return bytes
}

class WrittenHeader {
  name = ''
  value: string | Buffer = ''
  start = 0
  end = 0
}

class BatchWriter {
  bytes: Buffer
  at = 0
  /** The headers of the record before, where they lie. */
  readonly #before: WrittenHeader[] = []

  /** Grows where records are larger than the first one. */
  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size)
  }

  /** The body is written where it most likely belongs, and moved when its length takes another number of bytes. */
  record({ key, value, headers }: BatchRecord, index: number): void {
    const start = this.at
    const bodyAt = start + USUAL_LENGTH_BYTES
    this.room(2 * MAX_VARINT_BYTES + 2)
    this.bytes[bodyAt] = 0 // no attributes
    this.bytes[bodyAt + 1] = 0 // no later than the batch
    this.at = bodyAt + 2
    this.varint(index)
    this.chunk(key)
    this.chunk(value)
    this.headers(headers)
    const length = this.at - bodyAt
    const lengthBytes = varintBytes(length)
    this.room(MAX_VARINT_BYTES)
    if (lengthBytes !== USUAL_LENGTH_BYTES) {
      this.bytes.copyWithin(start + lengthBytes, bodyAt, this.at)
      this.#moveFirst(this.#before.length, lengthBytes - USUAL_LENGTH_BYTES)
    }
    this.at = start
    this.varint(length)
    this.at += length
  }

  headers(headers: BatchRecord['headers']): void {
    const names = Object.keys(headers)
    this.room(MAX_VARINT_BYTES)
    this.varint(names.length)
    const same = this.#sameAsBefore(names, headers)
    this.#copyFirst(same)
    for (let index = same; index < names.length; index++) this.#header(index, names[index] as string, headers)
    this.#before.length = Math.min(this.#before.length, names.length)
  }

  #header(index: number, name: string, headers: BatchRecord['headers']): void {
    const value = headers[name] as string | Buffer
    let written = this.#before[index]
    if (written === undefined) {
      written = new WrittenHeader()
      this.#before.push(written)
    }
    written.name = name
    written.value = value
    written.start = this.at
    this.chunk(bytesOfName(name))
    if (typeof value === 'string') this.text(value)
    else this.chunk(value)
    written.end = this.at
  }

  /** How many of the first headers are those of the record before. */
  #sameAsBefore(names: readonly string[], headers: BatchRecord['headers']): number {
    let index = 0
    for (; index < names.length; index++) {
      const before = this.#before[index]
      const name = names[index] as string
      if (before === undefined || before.name !== name || before.value !== headers[name]) break
    }
    return index
  }

  /** Records of one append have most of them in common: copied, not written again. */
  #copyFirst(count: number): void {
    const [first, last] = [this.#before[0], this.#before[count - 1]]
    if (first === undefined || last === undefined) return
    const { start } = first
    const { end } = last
    this.room(end - start)
    this.bytes.copyWithin(this.at, start, end)
    this.#moveFirst(count, this.at - start)
    this.at += end - start
  }

  #moveFirst(count: number, by: number): void {
    for (let index = 0; index < count; index++) {
      const written = this.#before[index] as WrittenHeader
      written.start += by
      written.end += by
    }
  }

  chunk(chunk: Uint8Array | null): void {
    this.room(MAX_VARINT_BYTES + (chunk?.length ?? 0))
    if (chunk === null) {
      this.varint(-1)
      return
    }
    this.varint(chunk.length)
    this.bytes.set(chunk, this.at)
    this.at += chunk.length
  }

  text(text: string): void {
    this.room(MAX_VARINT_BYTES + 3 * text.length)
    if (text.length > SHORT_CHARACTERS) {
      this.varint(Buffer.byteLength(text))
      this.at += this.bytes.write(text, this.at)
    } else {
      const length = this.bytes.write(text, this.at + 1)
      this.varint(length)
      this.at += length
    }
  }

  room(bytes: number): void {
    if (this.at + bytes <= this.bytes.length) return
    const larger = Buffer.allocUnsafeSlow(2 * this.bytes.length + bytes)
    this.bytes.copy(larger, 0, 0, this.at)
    this.bytes = larger
  }

  varint(value: number): void {
    let rest = ((value << 1) ^ (value >> 31)) >>> 0
    for (; rest > 0x7f; rest >>>= 7) this.bytes[this.at++] = (rest & 0x7f) | 0x80
    this.bytes[this.at++] = rest
  }
}

function varintBytes(value: number): number {
  let bytes = 1
  for (let rest = (value << 1) >>> 7; rest > 0; rest >>>= 7) bytes++
  return bytes
}

/** The names of headers are few and come again and again. */
const names = new Map<string, Uint8Array>()
const MAX_KNOWN_NAMES = 200

function bytesOfName(name: string): Uint8Array {
  const known = names.get(name)
  if (known !== undefined) return known
  const bytes = new Uint8Array(Buffer.from(name))
  if (names.size < MAX_KNOWN_NAMES) names.set(name, bytes)
  return bytes
}
