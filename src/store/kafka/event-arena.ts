import type { EventRow } from '../sqlite/rows.ts'

/*
 * Rows of events as bytes in large blocks, found by their places. As objects a million of them would be millions of things
 * for the collector of garbage to look at and move about, in pauses that every append would feel; as bytes they are none.
 *
 * M1 What comes out is what went in. `position` is the offset, and `stream_version` is the reader's to know: neither is kept.
 */

/** Between the first places of two blocks; only a text that is longer makes a longer block. */
const STRIDE = 1024 * 1024
const FIRST_BLOCK_BYTES = 4096
/** Offset, version, bytes of the envelope and of the data, characters of the envelope's parts. */
const HEADER_BYTES = 8 + 4 + 4 + 4 + 6 * 4
const AT = { version: 8, envelopeBytes: 12, dataBytes: 16, lengths: 20 }
const ABSENT = 0xffff_ffff

export class EventArena {
  readonly #blocks: Buffer[] = []
  /** How much of the last block is taken. */
  #used = 0

  /** Where it lies. */
  add(row: EventRow): number {
    const [offset, eventId, type, version, timestamp, correlationId, causationId, headers, data] = row
    const envelope = `${eventId}${type}${timestamp}${correlationId ?? ''}${causationId ?? ''}${headers ?? ''}`
    const envelopeBytes = Buffer.byteLength(envelope)
    const dataBytes = Buffer.byteLength(data)
    const block = this.#room(HEADER_BYTES + envelopeBytes + dataBytes)
    const start = this.#used
    block.writeDoubleLE(offset, start)
    block.writeUInt32LE(version, start + AT.version)
    block.writeUInt32LE(envelopeBytes, start + AT.envelopeBytes)
    block.writeUInt32LE(dataBytes, start + AT.dataBytes)
    let at = start + AT.lengths
    for (const part of [eventId, type, timestamp, correlationId, causationId, headers]) {
      at = block.writeUInt32LE(part?.length ?? ABSENT, at)
    }
    at += block.write(envelope, at)
    this.#used = at + block.write(data, at)
    return (this.#blocks.length - 1) * STRIDE + start
  }

  rowAt(place: number, streamVersion: number): EventRow {
    const block = this.#blockOf(place)
    const start = place % STRIDE
    const offset = block.readDoubleLE(start)
    const version = block.readUInt32LE(start + AT.version)
    const dataAt = start + HEADER_BYTES + block.readUInt32LE(start + AT.envelopeBytes)
    const data = block.toString('utf8', dataAt, dataAt + block.readUInt32LE(start + AT.dataBytes))
    const parts = partsOf(block, start, block.toString('utf8', start + HEADER_BYTES, dataAt))
    const [eventId, type, timestamp, correlationId = null, causationId = null, headers = null] = parts
    const named = [eventId as string, type as string, version, timestamp as string] as const
    return [offset, ...named, correlationId, causationId, headers, data, streamVersion, offset]
  }

  clear(): void {
    this.#blocks.length = 0
    this.#used = 0
  }

  #blockOf(place: number): Buffer {
    return this.#blocks[Math.floor(place / STRIDE)] as Buffer
  }

  /** The last block where it has room, else a new one, twice as large: most partitions are small. */
  #room(bytes: number): Buffer {
    const last = this.#blocks[this.#blocks.length - 1]
    if (last !== undefined && last.length - this.#used >= bytes) return last
    const usual = Math.min(STRIDE, FIRST_BLOCK_BYTES * 2 ** this.#blocks.length)
    const block = Buffer.allocUnsafeSlow(Math.max(usual, bytes))
    this.#blocks.push(block)
    this.#used = 0
    return block
  }
}

function partsOf(block: Buffer, start: number, envelope: string): (string | null)[] {
  const parts: (string | null)[] = []
  let from = 0
  for (let at = start + AT.lengths; at < start + HEADER_BYTES; at += 4) {
    const length = block.readUInt32LE(at)
    if (length === ABSENT) {
      parts.push(null)
    } else {
      parts.push(envelope.slice(from, from + length))
      from += length
    }
  }
  return parts
}
