import { StringDecoder } from 'node:string_decoder'

/** Cuts a byte stream into lines in bounded memory: a line longer than `maxLineChars` is dropped and counted. */
export class LineReader {
  readonly #onLine: (line: string) => void
  readonly #maxLineChars: number
  readonly #decoder = new StringDecoder('utf8')
  #parts: string[] = []
  #length = 0
  tooLong = 0

  constructor(maxLineChars: number, onLine: (line: string) => void) {
    this.#maxLineChars = maxLineChars
    this.#onLine = onLine
  }

  add(chunk: Buffer): void {
    const [first = '', ...rest] = this.#decoder.write(chunk).split('\n')
    this.#extend(first)
    for (const part of rest) {
      this.#finish()
      this.#extend(part)
    }
  }

  /** The last line needs no line end. */
  end(): void {
    this.#extend(this.#decoder.end())
    this.#finish()
  }

  #extend(part: string): void {
    this.#length += part.length
    if (this.#length > this.#maxLineChars) this.#parts = []
    else if (part !== '') this.#parts.push(part)
  }

  #finish(): void {
    if (this.#length > this.#maxLineChars) this.tooLong++
    else if (this.#length > 0) this.#onLine(this.#parts.join(''))
    this.#parts = []
    this.#length = 0
  }
}
