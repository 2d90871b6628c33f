import { stripVTControlCharacters } from 'node:util'

/*
 * Text as a terminal shows it. Titles and notes come from models: they may hold wide characters, line breaks, and
 * escape sequences that would move the cursor.
 */

/** Made when a text needs it: the first one takes 10 ms, which a start would pay. */
let segmenter: Intl.Segmenter | undefined

function segments(text: string): Iterable<{ readonly segment: string }> {
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' })
  return segmenter.segment(text)
}

/** Printable ASCII: one column for each character. */
const NARROW = /^[\x20-\x7e]*$/

const EMOJI = /\p{Emoji_Presentation}|\p{Extended_Pictographic}\uFE0F/u
const ZERO_WIDTH = /^[\p{Mark}\p{Cf}]+$/u
/** East Asian Wide and Fullwidth. */
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u

function graphemeWidth(grapheme: string): number {
  if (ZERO_WIDTH.test(grapheme)) return 0
  return EMOJI.test(grapheme) || WIDE.test(grapheme) ? 2 : 1
}

/** One line without escape sequences and control characters; runs of white space become one space. */
export function plainLine(text: string): string {
  return stripVTControlCharacters(text)
    .replace(/\p{Cc}|\s/gu, ' ')
    .replace(/ +/g, ' ')
    .trim()
}

/** Terminal columns that a plain line takes. */
export function displayWidth(text: string): number {
  if (NARROW.test(text)) return text.length
  let width = 0
  for (const { segment } of segments(text)) width += graphemeWidth(segment)
  return width
}

/** At most `width` columns; what was cut shows as `…`. */
export function truncate(text: string, width: number): string {
  if (displayWidth(text) <= width) return text
  if (width < 1) return ''
  if (NARROW.test(text)) return `${text.slice(0, width - 1)}…`
  let kept = ''
  let used = 0
  for (const { segment } of segments(text)) {
    used += graphemeWidth(segment)
    if (used > width - 1) break
    kept += segment
  }
  return `${kept}…`
}

/** Exactly `width` columns: truncated or filled with spaces. */
export function toWidth(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const shown = truncate(text, width)
  const filler = ' '.repeat(Math.max(0, width - displayWidth(shown)))
  return align === 'left' ? shown + filler : filler + shown
}
