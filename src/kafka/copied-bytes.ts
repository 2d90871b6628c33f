/*
 * Output of the decoders whose input says "as before": literal bytes, and copies of what was put out already.
 */

export class CopiedBytes {
  #bytes: Buffer
  #length = 0

  constructor(expectedBytes: number) {
    this.#bytes = Buffer.allocUnsafe(expectedBytes)
  }

  get whole(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  literal(bytes: Buffer, from: number, length: number): void {
    if (length < 0 || from + length > bytes.length) throw new Error('the data ends too early')
    this.#room(length)
    bytes.copy(this.#bytes, this.#length, from, from + length)
    this.#length += length
  }

  /** Byte by byte where the copy overlaps what it makes: that is how a run is told. */
  copy(distance: number, length: number): void {
    if (distance < 1 || distance > this.#length) throw new Error('the data points before its beginning')
    this.#room(length)
    const from = this.#length - distance
    if (distance >= length) this.#bytes.copyWithin(this.#length, from, from + length)
    else for (let n = 0; n < length; n++) this.#bytes[this.#length + n] = this.#bytes[from + n] ?? 0
    this.#length += length
  }

  #room(length: number): void {
    const wanted = this.#length + length
    if (wanted <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(wanted, 2 * this.#bytes.length))
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}
