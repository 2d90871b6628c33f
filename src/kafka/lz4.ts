import { CopiedBytes } from './copied-bytes.ts'

/*
 * LZ4 frames. Format: https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md and lz4_Block_format.md. Checksums are
 * passed over: the batch around it has one of its own.
 */

const MAGIC = 0x184d2204
const FLAG = { blockChecksum: 0x10, contentSize: 0x08, dictionary: 0x01 }
const UNCOMPRESSED = 0x80000000
const MIN_COPY = 4
/** In a token: more follows, byte by byte. */
const MORE = 15

export function lz4Frame(bytes: Buffer): Buffer {
  if (bytes.readUInt32LE(0) !== MAGIC) throw new Error('it is no LZ4 frame')
  const flags = bytes.readUInt8(4)
  if ((flags & FLAG.dictionary) !== 0) throw new Error('it needs a dictionary')
  const output = new CopiedBytes(4 * bytes.length)
  // Magic, flags, block size, the content's size if told, and the header's checksum.
  for (let at = 7 + ((flags & FLAG.contentSize) === 0 ? 0 : 8); ; ) {
    const told = bytes.readUInt32LE(at)
    if (told === 0) return output.whole
    const length = told % UNCOMPRESSED
    at += 4
    if (told >= UNCOMPRESSED) output.literal(bytes, at, length)
    else block(bytes.subarray(at, at + length), output)
    at += length + ((flags & FLAG.blockChecksum) === 0 ? 0 : 4)
  }
}

/** Literals and a copy, again and again; the last one has no copy. Copies may reach into the block before. */
function block(bytes: Buffer, output: CopiedBytes): void {
  for (let at = 0; at < bytes.length; ) {
    const token = bytes[at++] ?? 0
    const literals = lengthAt(bytes, at, token >> 4)
    output.literal(bytes, literals.next, literals.length)
    at = literals.next + literals.length
    if (at >= bytes.length) return
    const copied = lengthAt(bytes, at + 2, token & MORE)
    output.copy(bytes.readUInt16LE(at), MIN_COPY + copied.length)
    at = copied.next
  }
}

function lengthAt(bytes: Buffer, at: number, short: number): { readonly length: number; readonly next: number } {
  if (short < MORE) return { length: short, next: at }
  let length = short
  for (let next = at; ; next++) {
    const byte = bytes.readUInt8(next)
    length += byte
    if (byte < 255) return { length, next: next + 1 }
  }
}
