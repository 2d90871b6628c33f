/*
 * CRC-32C (Castagnoli), which guards every record batch, eight bytes a step: the usual byte by byte costs as much as all
 * the rest of the encoding.
 */

const POLYNOMIAL = 0x82f63b78
const SLICES = 8

const tables = slices()

export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = -1
  let at = start
  for (const last = end - SLICES; at <= last; at += SLICES) crc = step(crc, bytes, at)
  for (; at < end; at++) crc = (crc >>> 8) ^ look(0, crc ^ byte(bytes, at))
  return ~crc >>> 0
}

function step(crc: number, bytes: Uint8Array, at: number): number {
  const low =
    crc ^ (byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16) | (byte(bytes, at + 3) << 24))
  return (
    look(7, low) ^
    look(6, low >>> 8) ^
    look(5, low >>> 16) ^
    look(4, low >>> 24) ^
    look(3, byte(bytes, at + 4)) ^
    look(2, byte(bytes, at + 5)) ^
    look(1, byte(bytes, at + 6)) ^
    look(0, byte(bytes, at + 7))
  )
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] as number
}

function look(slice: number, index: number): number {
  return tables[(slice << 8) | (index & 0xff)] as number
}

/** Slice n holds what a byte does to the remainder when n more bytes follow it. */
function slices(): Int32Array {
  const all = new Int32Array(256 * SLICES)
  for (let index = 0; index < 256; index++) {
    let crc = index
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0)
    all[index] = crc
  }
  for (let at = 256; at < all.length; at++) {
    const before = all[at - 256] as number
    all[at] = (before >>> 8) ^ (all[before & 0xff] as number)
  }
  return all
}
