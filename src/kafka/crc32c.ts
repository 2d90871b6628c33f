/*
 * CRC-32C (Castagnoli), which guards every record batch, sixteen bytes a step: the usual byte by byte costs as much as all
 * the rest of the encoding.
 */

const POLYNOMIAL = 0x82f63b78
const SLICES = 16

const tables = slices()

export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let crc = -1
  let at = start
  for (const last = end - SLICES; at <= last; at += SLICES) {
    crc =
      word(12, crc ^ view.getInt32(at, true)) ^
      word(8, view.getInt32(at + 4, true)) ^
      word(4, view.getInt32(at + 8, true)) ^
      word(0, view.getInt32(at + 12, true))
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ look(0, crc ^ view.getUint8(at))
  return ~crc >>> 0
}

/** Of four bytes, the first of them the lowest, before `slice` others. */
function word(slice: number, low: number): number {
  return look(slice + 3, low) ^ look(slice + 2, low >>> 8) ^ look(slice + 1, low >>> 16) ^ look(slice, low >>> 24)
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
