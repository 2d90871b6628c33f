import { CopiedBytes } from './copied-bytes.ts'

/*
 * Snappy, plain and in the frames of Java's library (its magic and two versions, then chunks with their length before
 * them), which is how Kafka writes it. Format: https://github.com/google/snappy/blob/main/format_description.txt
 */

const JAVA_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])
const JAVA_HEADER_BYTES = 16
/** A copy of two bytes tells at most 64. */
const MAX_RATIO = 32

export function snappy(bytes: Buffer): Buffer {
  if (!bytes.subarray(0, JAVA_MAGIC.length).equals(JAVA_MAGIC)) return block(bytes)
  const chunks: Buffer[] = []
  for (let at = JAVA_HEADER_BYTES; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at)
    if (at + 4 + length > bytes.length) throw new Error('the data ends too early')
    chunks.push(block(bytes.subarray(at + 4, at + 4 + length)))
    at += 4 + length
  }
  return Buffer.concat(chunks)
}

function block(bytes: Buffer): Buffer {
  const { value: length, next } = uvarint(bytes)
  if (length > MAX_RATIO * bytes.length) throw new Error('it claims to be longer than it can be')
  const output = new CopiedBytes(length)
  for (let at = next; at < bytes.length; ) at = element(bytes, at, output)
  if (output.whole.length !== length) throw new Error('it is not as long as it says')
  return output.whole
}

/** The lowest two bits: a literal, or a copy whose distance takes one, two or four bytes. @returns where the next one is */
function element(bytes: Buffer, at: number, output: CopiedBytes): number {
  const tag = bytes[at] ?? 0
  if ((tag & 3) === 0) return literal(bytes, at, output)
  if ((tag & 3) === 1) {
    output.copy(((tag & 0xe0) << 3) | bytes.readUInt8(at + 1), 4 + ((tag >> 2) & 7))
    return at + 2
  }
  const size = (tag & 3) === 2 ? 2 : 4
  output.copy(bytes.readUIntLE(at + 1, size), 1 + (tag >> 2))
  return at + 1 + size
}

/** A length above 60 is in the one to four bytes behind the tag. */
function literal(bytes: Buffer, at: number, output: CopiedBytes): number {
  const short = (bytes[at] ?? 0) >> 2
  const size = Math.max(0, short - 59)
  const length = 1 + (size === 0 ? short : bytes.readUIntLE(at + 1, size))
  output.literal(bytes, at + 1 + size, length)
  return at + 1 + size + length
}

function uvarint(bytes: Buffer): { readonly value: number; readonly next: number } {
  let value = 0
  for (let next = 0; next < 5; next++) {
    const byte = bytes.readUInt8(next)
    value += (byte & 0x7f) * 2 ** (7 * next)
    if (byte < 0x80) return { value, next: next + 1 }
  }
  throw new Error('its length is none')
}
