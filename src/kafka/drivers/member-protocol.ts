/*
 * What members of a consumer group tell each other: Kafka's own "consumer" protocol, version 0, which every library and
 * every tool that shows groups reads.
 */

const VERSION = 0

export function encodeSubscription(topics: readonly string[]): Buffer {
  return Buffer.concat([int16(VERSION), int32(topics.length), ...topics.map(text), int32(0)])
}

export function decodeSubscription(bytes: Buffer): readonly string[] {
  const reader = new Reader(bytes)
  reader.int16()
  return reader.array(() => reader.text())
}

export function encodeAssignment(assignment: Readonly<Record<string, readonly number[]>>): Buffer {
  const topics = Object.entries(assignment).map(([topic, partitions]) =>
    Buffer.concat([text(topic), int32(partitions.length), ...partitions.map(int32)]),
  )
  return Buffer.concat([int16(VERSION), int32(topics.length), ...topics, int32(0)])
}

/** A member to whom nothing was given has no bytes at all. */
export function decodeAssignment(bytes: Buffer): readonly { readonly topic: string; readonly partition: number }[] {
  if (bytes.length === 0) return []
  const reader = new Reader(bytes)
  reader.int16()
  return reader
    .array(() => {
      const topic = reader.text()
      return reader.array(() => ({ topic, partition: reader.int32() }))
    })
    .flat()
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([int16(bytes.length), bytes])
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  int16(): number {
    this.#at += 2
    return this.#bytes.readInt16BE(this.#at - 2)
  }

  int32(): number {
    this.#at += 4
    return this.#bytes.readInt32BE(this.#at - 4)
  }

  text(): string {
    const length = this.int16()
    this.#at += length
    return this.#bytes.toString('utf8', this.#at - length, this.#at)
  }

  array<T>(read: () => T): T[] {
    return Array.from({ length: Math.max(0, this.int32()) }, read)
  }
}
