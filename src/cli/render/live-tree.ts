import { formatDuration } from '../../core/format.ts'
import { wantsColor } from './paint.ts'
import { renderTree, type TreeItem, type TreeView } from './tree.ts'
import { plainLine } from './width.ts'

const REDRAW_INTERVAL_MS = 100
const DEFAULT_COLUMNS = 80
const DEFAULT_ROWS = 24

const HIDE_CURSOR = '\u001b[?25l'
const SHOW_CURSOR = '\u001b[?25h'
const CLEAR_LINE = '\u001b[2K'
const CLEAR_BELOW = '\u001b[J'
const cursorUp = (lines: number) => (lines === 0 ? '' : `\u001b[${lines}A`)

/** The part of `process.stderr` that is needed. */
export type TreeStream = NodeJS.WritableStream & {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
}

/**
 * Shows a session while it runs. On a terminal it redraws the tree in place, at most every 100 ms; elsewhere it prints
 * one line per change. `stop()` leaves the last picture and gives the cursor back, as does the end of the process;
 * whoever ends the process by a signal calls `stop()` first.
 */
export class LiveTree {
  readonly #stream: TreeStream
  readonly #now: () => number
  readonly #restoreCursor = () => void this.#stream.write(SHOW_CURSOR)
  #view: TreeView | undefined
  #viewedAtMs = 0
  #drawnLines = 0
  #frame = 0
  #timer: NodeJS.Timeout | undefined

  constructor(stream: TreeStream = process.stderr, { now = () => performance.now() } = {}) {
    this.#stream = stream
    this.#now = now
  }

  /** Shows a new view; on a terminal at the next frame, otherwise as lines for what changed. */
  update(view: TreeView): void {
    const before = this.#view
    this.#view = view
    this.#viewedAtMs = this.#now()
    if (this.#stream.isTTY) this.#start()
    else for (const line of changes(before, view)) this.#stream.write(`${line}\n`)
  }

  /** A line that stays, above the tree. */
  print(line: string): void {
    if (this.#timer === undefined) this.#stream.write(`${line}\n`)
    else this.#draw(`${line}\n`)
  }

  /** Safe to call again. */
  stop(): void {
    if (this.#timer === undefined) return
    clearInterval(this.#timer)
    this.#draw()
    this.#timer = undefined
    this.#drawnLines = 0
    process.off('exit', this.#restoreCursor)
    this.#restoreCursor()
  }

  #start(): void {
    if (this.#timer !== undefined) return
    this.#timer = setInterval(() => this.#tick(), REDRAW_INTERVAL_MS)
    this.#timer.unref()
    process.once('exit', this.#restoreCursor)
    this.#stream.write(HIDE_CURSOR)
    this.#draw()
  }

  #tick(): void {
    this.#frame += 1
    this.#draw()
  }

  /** One write per picture, so that a terminal never shows half of it. */
  #draw(above = ''): void {
    // A terminal without a size says 0.
    const columns = this.#stream.columns || DEFAULT_COLUMNS
    const rows = this.#stream.rows || DEFAULT_ROWS
    const view = advanced(this.#view!, this.#now() - this.#viewedAtMs)
    // One column and one line stay free: a full line would wrap, a full screen would scroll, and the count be wrong.
    const options = { width: columns - 1, maxLines: rows - 1, color: wantsColor(this.#stream), frame: this.#frame }
    const lines = renderTree(view, options)
    const picture = lines.map((line) => `${CLEAR_LINE}${line}\n`).join('')
    const text = above === '' ? '' : CLEAR_BELOW + above
    this.#stream.write(cursorUp(this.#drawnLines) + text + picture + CLEAR_BELOW)
    this.#drawnLines = lines.length
  }
}

const RUNNING = new Set(['planning', 'running'])

/** The view as it is some time after it was taken: the clocks of what runs have gone on. */
function advanced(view: TreeView, deltaMs: number): TreeView {
  if (!RUNNING.has(view.status)) return view
  const later = (item: TreeItem) =>
    item.running === undefined ? item : { ...item, elapsedMs: item.elapsedMs + deltaMs }
  return { ...view, elapsedMs: view.elapsedMs + deltaMs, items: view.items.map(later) }
}

/** What is different, one line each, for logs and pipes. */
export function changes(before: TreeView | undefined, after: TreeView): string[] {
  const time = formatDuration(after.elapsedMs).padStart(7)
  const known = new Map(before?.items.map((item) => [item.id, stateOf(item)]))
  const items = after.items.filter((item) => known.get(item.id) !== stateOf(item))
  const session = before?.status === after.status ? [] : [`${time}  session  ${after.status}`]
  return [...session, ...items.map((item) => `${time}  ${plainLine(item.id)}  ${stateOf(item)}`)]
}

function stateOf({ status, running, lastNote }: TreeItem): string {
  return [status, running, lastNote]
    .filter((text) => text !== undefined && text !== '')
    .map(asLine)
    .join(' · ')
}

function asLine(text: string | undefined): string {
  return plainLine(text ?? '')
}
