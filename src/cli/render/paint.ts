import { styleText } from 'node:util'
import { displayWidth, truncate } from './width.ts'

export type Style = Parameters<typeof styleText>[0]

/** A piece of a line. Width is counted in text, colour comes after. */
export interface Span {
  readonly text: string
  readonly style?: Style
}

/** Whether this stream shows colours: a terminal that has them, and neither NO_COLOR nor its relatives are set. */
export function wantsColor(stream: NodeJS.WritableStream): boolean {
  return styleText('bold', 'x', { stream }) !== 'x'
}

export function paint(text: string, style: Style, color: boolean): string {
  return color && text !== '' ? styleText(style, text, { validateStream: false }) : text
}

/** The spans as one line of at most `width` columns. */
export function paintLine(spans: readonly Span[], { width, color }: { width: number; color: boolean }): string {
  let left = width
  let line = ''
  for (const { text, style } of spans) {
    const shown = truncate(text, left)
    left -= displayWidth(shown)
    line += style === undefined ? shown : paint(shown, style, color)
    if (shown !== text) break
  }
  return line.trimEnd()
}
