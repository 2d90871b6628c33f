/*
 * What a process prints, in bounded memory: the beginning and the end stay, the middle is counted.
 */
import { StringDecoder } from 'node:string_decoder'

/** What was printed. When it was longer than `text` can hold, `text` says in its middle how much is left out. */
export interface CapturedText {
  readonly text: string
  readonly totalChars: number
  readonly leftOutChars: number
}

/** Shortens a text to about `maxChars`, half from the beginning and half from the end, with a note between. */
export function headAndTail(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text
  const headEnd = atCharacter(text, Math.ceil(maxChars / 2))
  const tailStart = atCharacter(text, text.length - Math.floor(maxChars / 2))
  return `${text.slice(0, headEnd)}${leftOutNote(tailStart - headEnd)}${text.slice(tailStart)}`
}

/** Collects a byte stream as UTF-8 text, at most about 1.5 × `maxChars` of it at any time. */
export class TextCapture {
  readonly #maxChars: number
  readonly #decoder = new StringDecoder('utf8')
  #head = ''
  #tail = ''
  #leftOut = 0
  #totalChars = 0

  constructor(maxChars: number) {
    this.#maxChars = maxChars
  }

  add(chunk: Buffer): void {
    this.#append(this.#decoder.write(chunk))
  }

  end(): CapturedText {
    this.#append(this.#decoder.end())
    this.#trim(this.#maxChars / 2)
    const note = this.#leftOut > 0 ? leftOutNote(this.#leftOut) : ''
    return { text: `${this.#head}${note}${this.#tail}`, totalChars: this.#totalChars, leftOutChars: this.#leftOut }
  }

  #append(text: string): void {
    this.#totalChars += text.length
    const room = Math.ceil(this.#maxChars / 2) - this.#head.length
    if (this.#tail === '' && room > 0) {
      const end = atCharacter(text, room)
      this.#head += text.slice(0, end)
      this.#tail = text.slice(end)
    } else this.#tail += text
    // Now and then rather than each time: cutting costs as much as the tail is long.
    if (this.#tail.length > this.#maxChars) this.#trim(this.#maxChars / 2)
  }

  #trim(keepChars: number): void {
    if (this.#tail.length <= keepChars) return
    const start = atCharacter(this.#tail, this.#tail.length - Math.floor(keepChars))
    this.#leftOut += start
    this.#tail = this.#tail.slice(start)
  }
}

function leftOutNote(chars: number): string {
  return `\n… [${chars} characters left out] …\n`
}

/** Never between the two halves of a character outside the basic plane. */
function atCharacter(text: string, index: number): number {
  const code = text.charCodeAt(index)
  return code >= 0xdc00 && code <= 0xdfff ? index + 1 : Math.min(index, text.length)
}
