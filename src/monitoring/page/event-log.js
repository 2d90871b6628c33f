import { element, part } from './elements.js'
import { clock, plural } from './formats.js'

/*
 * The events as rows. However many come, so many are kept, and they are drawn in one go a few times a second.
 */

/** @typedef {import('../event-row.ts').EventRow} EventRow */

const MAX_ROWS = 500
const DRAW_MS = 100
/** So near to the end a reader counts as being there. */
const NEAR_PX = 40

const BOOKKEEPING = new Set(['AgentCallReserved', 'AgentCallClaimed', 'WorkflowStateUpdated', 'AgentToolCalled'])
/** @type {readonly (readonly [RegExp, string])[]} */
const TONES = [
  [/Accepted|SessionCompleted|ApprovalGiven/, 'good'],
  [/Failed|Rejected|Denied|Blocked|InDoubt|Refused|Exceeded|Stalled|Cancelled/, 'bad'],
  [/Approval|Revision|Paused|Budget/, 'person'],
]

export class EventLog {
  #list
  #note
  /** @type {EventRow[]} */
  #pending = []
  #dropped = 0
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer

  /** @param {HTMLElement} section with an `ol` and a `.log-note` */
  constructor(section) {
    this.#list = part(section, 'ol')
    this.#note = part(section, '.log-note')
  }

  /** @param {readonly EventRow[]} rows */
  add(rows) {
    this.#pending.push(...rows)
    if (this.#pending.length > 2 * MAX_ROWS) this.#pending.splice(0, this.#pending.length - MAX_ROWS)
    this.#timer ??= setTimeout(() => this.#draw(), DRAW_MS)
  }

  #draw() {
    this.#timer = undefined
    const list = this.#list
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_PX
    const rows = this.#pending.splice(0).slice(-MAX_ROWS)
    list.append(...rows.map(rowElement))
    while (list.children.length > MAX_ROWS) list.firstElementChild?.remove()
    if (atEnd) list.scrollTop = list.scrollHeight
    this.#tellWhatIsAbove()
  }

  #tellWhatIsAbove() {
    const above = Number(this.#list.firstElementChild?.getAttribute('data-position') ?? 1) - 1
    if (above === this.#dropped) return
    this.#dropped = above
    const command = `duolog events ${decodeURIComponent(location.pathname.split('/')[2] ?? '')}`
    this.#note.replaceChildren(`${plural(above, 'earlier event')}, all with: `, element('code', {}, command))
  }
}

/** @param {EventRow} row */
function rowElement(row) {
  const at = new Date(row.at)
  const time = element('time', { datetime: row.at, title: at.toLocaleString() }, clock(at.getTime()))
  const type = element('span', { class: 'type' }, row.type)
  const summary = element('summary', {}, time, type, element('span', { class: 'text' }, row.text))
  const details = element('details', {}, summary)
  // Most rows are never opened.
  details.addEventListener('toggle', () => details.append(element('pre', {}, row.detail)), { once: true })
  const tone = TONES.find(([pattern]) => pattern.test(row.type))?.[1] ?? (BOOKKEEPING.has(row.type) ? 'quiet' : 'plain')
  return element('li', { 'data-position': String(row.position), 'data-tone': tone }, details)
}
