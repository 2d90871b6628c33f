/*
 * The primitives of Kafka's wire format (fixed width, big endian; texts behind an int16 length), for the few messages that
 * are written or read here. https://kafka.apache.org/protocol.html#protocol_types
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
}
