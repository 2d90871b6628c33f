import { paint } from './paint.ts'
import { displayWidth, plainLine, toWidth } from './width.ts'

export interface Column<Row> {
  readonly header: string
  readonly value: (row: Row) => string | number
  readonly align?: 'left' | 'right'
  /** Columns of the terminal; longer values are cut. */
  readonly maxWidth?: number
}

/** Header and rows, aligned by display width, two spaces between columns, no trailing spaces. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[], { color = false } = {}): string[] {
  const cells = rows.map((row) => columns.map((column) => plainLine(String(column.value(row)))))
  const headers = columns.map((column) => column.header)
  const widths = columns.map((column, index) => columnWidth(column, [headers, ...cells], index))
  const line = (texts: string[]) =>
    texts
      .map((text, index) => toWidth(text, widths[index]!, columns[index]!.align))
      .join('  ')
      .trimEnd()
  return [paint(line(headers), 'dim', color), ...cells.map(line)]
}

function columnWidth<Row>(column: Column<Row>, lines: readonly string[][], index: number): number {
  const widest = Math.max(...lines.map((texts) => displayWidth(texts[index]!)))
  return Math.min(widest, column.maxWidth ?? widest)
}
