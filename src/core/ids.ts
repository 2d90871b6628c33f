/** Sixteen random bytes; the door through which randomness enters. */
export type RandomBytes = (size: 16) => Uint8Array

/**
 * A UUID version 7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then random bits, so ids sort by birth
 * and a unique index over them grows at its end.
 */
export function uuidV7(nowMs: number, random: RandomBytes): string {
  const bytes = random(16)
  const ms = Math.floor(nowMs)
  const [high, low] = [Math.floor(ms / 0x1_0000), ms % 0x1_0000]
  put(high >>> 24, 0)
  put(high >>> 16, 2)
  put(high >>> 8, 4)
  put(high, 6)
  put(low >>> 8, 9)
  put(low, 11)
  put(0x70 | (bytes[6]! & 0x0f), 14)
  put(bytes[7]!, 16)
  put(0x80 | (bytes[8]! & 0x3f), 19)
  put(bytes[9]!, 21)
  for (let byte = 10; byte < 16; byte++) put(bytes[byte]!, 4 + 2 * byte)
  return TEXT.toString('latin1')
}

/** An id is made for every event: its letters are written in one place, not joined. */
const TEXT = Buffer.from('00000000-0000-0000-0000-000000000000')
const DIGITS = Buffer.from('0123456789abcdef')

function put(byte: number, at: number): void {
  TEXT[at] = DIGITS[(byte >>> 4) & 0x0f]!
  TEXT[at + 1] = DIGITS[byte & 0x0f]!
}
