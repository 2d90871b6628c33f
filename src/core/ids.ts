/** Sixteen random bytes; the door through which randomness enters. */
export type RandomBytes = (size: 16) => Uint8Array

/**
 * A UUID version 7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then random bits, so ids sort by birth
 * and a unique index over them grows at its end.
 */
export function uuidV7(nowMs: number, random: RandomBytes): string {
  const time = Math.floor(nowMs).toString(16).padStart(12, '0').slice(-12)
  const bytes = random(16)
  const hex = (at: number) => HEX[bytes[at]!]!
  const version = HEX[0x70 | (bytes[6]! & 0x0f)]!
  const variant = HEX[0x80 | (bytes[8]! & 0x3f)]!
  const node = hex(10) + hex(11) + hex(12) + hex(13) + hex(14) + hex(15)
  return `${time.slice(0, 8)}-${time.slice(8)}-${version}${hex(7)}-${variant}${hex(9)}-${node}`
}

/** '00' … 'ff': an id is made for every event, so its letters are looked up. */
const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
