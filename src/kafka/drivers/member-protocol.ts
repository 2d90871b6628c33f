import { int16, int32, text, WireReader } from './wire.ts'

/*
 * What members of a consumer group tell each other: Kafka's own "consumer" protocol, version 0, which every library and
 * every tool that shows groups reads.
 */

const VERSION = 0

export function encodeSubscription(topics: readonly string[]): Buffer {
  return Buffer.concat([int16(VERSION), int32(topics.length), ...topics.map(text), int32(0)])
}

export function decodeSubscription(bytes: Buffer): readonly string[] {
  const reader = new WireReader(bytes)
  reader.int16()
  return reader.list(() => reader.text())
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
  const reader = new WireReader(bytes)
  reader.int16()
  return reader
    .list(() => {
      const topic = reader.text()
      return reader.list(() => ({ topic, partition: reader.int32() }))
    })
    .flat()
}
