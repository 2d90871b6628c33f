import { formatDuration, formatUsd, plural } from '../../core/format.ts'
import { paintLine, type Span, type Style } from './paint.ts'
import { displayWidth, plainLine, toWidth } from './width.ts'

/** What the tree shows of a work item. */
export interface TreeItem {
  readonly id: string
  readonly title: string
  /** planned, working, checking, reviewing, accepted, failed or blocked; another word is shown as it is. */
  readonly status: string
  readonly attempts: number
  readonly revisions: number
  readonly costUsd: number
  readonly elapsedMs: number
  /** Who is at it now, such as `worker: attempt 2`. */
  readonly running?: string
  readonly dependsOn: readonly string[]
  readonly lastNote?: string
}

/** What the tree shows of a session. */
export interface TreeView {
  readonly sessionId: string
  readonly task: string
  readonly status: string
  readonly elapsedMs: number
  readonly costUsd: number
  readonly items: readonly TreeItem[]
}

export interface TreeOptions {
  /** Columns of the terminal; no line is wider. */
  readonly width: number
  /** At most so many lines: accepted items are left out first, then what does not fit. Default: no limit. */
  readonly maxLines?: number
  readonly color?: boolean
  /** Counts up with every redraw and turns the spinner. */
  readonly frame?: number
}

const SPINNER = [...'⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏']
const MAX_ID_WIDTH = 20
const MIN_TITLE_WIDTH = 12

const MARKS: Record<string, { mark: string; style: Style }> = {
  planned: { mark: '○', style: 'dim' },
  accepted: { mark: '✓', style: 'green' },
  completed: { mark: '✓', style: 'green' },
  failed: { mark: '✗', style: 'red' },
  cancelled: { mark: '✗', style: 'yellow' },
  blocked: { mark: '!', style: 'yellow' },
  paused: { mark: '!', style: 'yellow' },
}
const BUSY = new Set(['planning', 'running', 'working', 'checking', 'reviewing'])

/** The session and its work items as lines; the same view and frame give the same lines. */
export function renderTree(view: TreeView, options: TreeOptions): string[] {
  const { width, maxLines = Number.POSITIVE_INFINITY, color = false, frame = 0 } = options
  const open = view.items.filter((item) => item.status !== 'accepted')
  const waiting = new Set(open.map((item) => item.id))
  const linesOf = (items: readonly TreeItem[]) => [
    headSpans(view, frame),
    ...itemLines({ items, waiting, width, frame }),
  ]
  const all = linesOf(view.items)
  const shown = all.length > maxLines ? cut(linesOf(open), maxLines) : all
  return shown.map((spans) => paintLine(spans, { width, color }))
}

interface ItemLines {
  readonly items: readonly TreeItem[]
  /** Ids of the items that others may still wait for. */
  readonly waiting: ReadonlySet<string>
  readonly width: number
  readonly frame: number
}

function itemLines({ items, waiting, width, frame }: ItemLines): Span[][] {
  const rows = items.map((item) => ({ item, details: detailsOf(item, waiting) }))
  const layout = layoutOf(rows, width)
  return rows.flatMap(({ item, details }, index) => {
    const last = index === rows.length - 1
    const head = [branch(last ? '└─ ' : '├─ '), ...itemSpans(item, details, { ...layout, frame })]
    return [head, ...noteLines(item, last)]
  })
}

function headSpans(view: TreeView, frame: number): Span[] {
  const accepted = view.items.filter((item) => item.status === 'accepted').length
  const done = view.items.length === 0 ? [] : [`${accepted}/${view.items.length} accepted`]
  const facts = [view.status, ...done, formatDuration(view.elapsedMs), formatUsd(view.costUsd)]
  return [
    markOf(view.status, frame),
    { text: ` ${plainLine(view.task)}`, style: 'bold' },
    { text: `  ${facts.join(' · ')}`, style: 'dim' },
  ]
}

interface Layout {
  readonly idWidth: number
  readonly titleWidth: number
}

function itemSpans(
  item: TreeItem,
  details: string,
  { idWidth, titleWidth, frame }: Layout & { frame: number },
): Span[] {
  const quiet = item.status === 'planned'
  return [
    markOf(item.status, frame),
    { text: ` ${toWidth(plainLine(item.id), idWidth)}  `, style: quiet ? 'dim' : 'bold' },
    { text: `${toWidth(plainLine(item.title), titleWidth)}  ` },
    { text: details, style: 'dim' },
  ]
}

function noteLines(item: TreeItem, last: boolean): Span[][] {
  const running = plainLine(item.running ?? '')
  const note = plainLine(item.lastNote ?? '')
  if (running === '' && note === '') return []
  const separator = running === '' || note === '' ? '' : ' · '
  const spans: Span[] = [branch(last ? '     ' : '│    '), { text: running, style: 'cyan' }, branch(separator + note)]
  return [spans]
}

function detailsOf(item: TreeItem, waiting: ReadonlySet<string>): string {
  if (item.attempts === 0) return waitingFor(item, waiting)
  const revisions = item.revisions === 0 ? [] : [plural(item.revisions, 'revision')]
  const spent = [formatUsd(item.costUsd), formatDuration(item.elapsedMs)]
  return [item.status, plural(item.attempts, 'attempt'), ...revisions, ...spent].join(' · ')
}

function waitingFor(item: TreeItem, waiting: ReadonlySet<string>): string {
  const before = item.dependsOn.filter((id) => waiting.has(id)).map(plainLine)
  if (before.length === 0) return item.status
  return `${item.status === 'blocked' ? 'blocked by' : 'after'} ${before.join(', ')}`
}

/** Ids and details in full, the title gets what is left. */
function layoutOf(rows: readonly { item: TreeItem; details: string }[], width: number): Layout {
  const widest = (texts: string[]) => Math.max(0, ...texts.map(displayWidth))
  const idWidth = Math.min(MAX_ID_WIDTH, widest(rows.map(({ item }) => plainLine(item.id))))
  const used = '├─ ✓ '.length + idWidth + 2 + 2 + widest(rows.map(({ details }) => details))
  const titles = widest(rows.map(({ item }) => plainLine(item.title)))
  return { idWidth, titleWidth: Math.min(titles, Math.max(MIN_TITLE_WIDTH, width - used)) }
}

function markOf(status: string, frame: number): Span {
  if (BUSY.has(status)) return { text: SPINNER[frame % SPINNER.length]!, style: 'cyan' }
  const { mark, style } = MARKS[status] ?? { mark: '·', style: 'dim' }
  return { text: mark, style }
}

function branch(text: string): Span {
  return { text, style: 'dim' }
}

function cut(lines: Span[][], maxLines: number): Span[][] {
  if (lines.length <= maxLines) return lines
  const kept = lines.slice(0, Math.max(0, maxLines - 1))
  return [...kept, [branch(`… ${plural(lines.length - kept.length, 'more line')}`)]]
}
