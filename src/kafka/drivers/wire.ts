/*
 * The primitives of Kafka's wire format (fixed width, big endian; texts behind an int16 length; where compact, lengths are
 * one more than they are, as varints), for the few messages that are written or read here. https://kafka.apache.org/protocol.html#protocol_types
 */

export function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

export function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([int16(bytes.length), bytes])
}

export function nullableText(value: string | undefined): Buffer {
  return value === undefined ? int16(-1) : text(value)
}

export function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return bytes
}

function uvarint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  return Buffer.from([...bytes, rest])
}

export function compactText(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([uvarint(bytes.length + 1), bytes])
}

export function compactList<T>(items: readonly T[], encode: (item: T) => Buffer): Buffer {
  return Buffer.concat([uvarint(items.length + 1), ...items.map(encode)])
}

/** Behind each structure of a message that has them. */
export const noTags = uvarint(0)
export const compactNull = uvarint(0)

/** Kafka's primitive types, one after the other. */
export class WireReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  skip(count: number): void {
    this.#at += count
  }

  int16(): number {
    this.#at += 2
    return this.#bytes.readInt16BE(this.#at - 2)
  }

  int32(): number {
    this.#at += 4
    return this.#bytes.readInt32BE(this.#at - 4)
  }

  bigint(): bigint {
    this.#at += 8
    return this.#bytes.readBigInt64BE(this.#at - 8)
  }

  int64(): number {
    return Number(this.bigint())
  }

  text(): string {
    const length = Math.max(this.int16(), 0)
    this.#at += length
    return this.#bytes.toString('utf8', this.#at - length, this.#at)
  }

  bytes(): Buffer {
    const length = Math.max(this.int32(), 0)
    const start = this.#at
    this.#at += length
    return this.#bytes.subarray(start, this.#at)
  }

  list<T>(item: () => T): T[] {
    const length = Math.max(this.int32(), 0)
    return Array.from({ length }, item)
  }

  compactText(): string {
    const length = Math.max(this.#uvarint() - 1, 0)
    this.#at += length
    return this.#bytes.toString('utf8', this.#at - length, this.#at)
  }

  compactList<T>(item: () => T): T[] {
    const length = Math.max(this.#uvarint() - 1, 0)
    return Array.from({ length }, item)
  }

  skipTags(): void {
    for (let left = this.#uvarint(); left > 0; left--) {
      this.#uvarint()
      this.skip(this.#uvarint())
    }
  }

  #uvarint(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes.readUInt8(this.#at++)
      value |= (byte & 0x7f) << shift
      if (byte <= 0x7f) return value
    }
  }
}
