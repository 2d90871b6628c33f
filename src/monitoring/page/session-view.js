import { element, keyed, part, setAttribute, setText } from './elements.js'
import { EventLog } from './event-log.js'
import { clock, duration, plural, sign, usd } from './formats.js'
import { followSession } from './live-events.js'
import { nameOf, PlanChart } from './plan-chart.js'

/**
 * @typedef {import('../session-picture.ts').SessionPicture} SessionPicture
 * @typedef {import('../session-picture.ts').PictureCall} PictureCall
 */

const CLOCK_MS = 500
const ENDED = new Set(['completed', 'failed', 'cancelled'])

/** One session, as it happens. @param {HTMLElement} main @param {string} sessionId @param {(state: string) => void} showState */
export function showSession(main, sessionId, showState) {
  main.replaceChildren(...frame(sessionId))
  document.title = `${sessionId.slice(0, 13)} · duolog`
  const view = new SessionView(main)
  const log = new EventLog(part(main, '.events'))
  followSession(sessionId, {
    picture: (picture) => view.take(picture),
    rows: (rows) => log.add(rows),
    problem: (text) => view.problem(text),
    state: showState,
  })
}

/** @param {string} sessionId */
function frame(sessionId) {
  const head = element(
    'div',
    { class: 'session-head' },
    element('p', { class: 'crumbs' }, element('a', { href: '/' }, 'Sessions'), ' / ', element('code', {}, sessionId)),
    element('h1', {}, '…'),
    element('p', { class: 'forked' }),
    element('p', { class: 'facts' }),
    element('p', { class: 'reason', hidden: '' }),
    element('p', { class: 'problem', role: 'alert', hidden: '' }),
    element('ul', { class: 'waits', 'aria-label': 'Waits for a person' }),
  )
  const swatch = (/** @type {Record<string, string>} */ looks) => element('span', { class: 'bar swatch', ...looks })
  const legend = [
    ...['plan', 'work', 'review', 'gate'].map((purpose) =>
      element('li', {}, swatch({ 'data-purpose': purpose }), purpose),
    ),
    element('li', {}, swatch({ 'data-rejected': 'true' }), 'rejects'),
  ]
  const plan = element(
    'section',
    { class: 'plan-section', 'aria-labelledby': 'plan-heading' },
    element(
      'div',
      { class: 'section-head' },
      element('h2', { id: 'plan-heading' }, 'Plan and calls'),
      element('ul', { class: 'legend', 'aria-label': 'Colours of the bars' }, ...legend),
    ),
    element('div', { class: 'axis', 'aria-hidden': 'true' }, element('div', { class: 'axis-lane' })),
    element('ol', { class: 'plan' }),
    element('details', { class: 'calls' }, element('summary', {}, 'The calls as a table'), callTable()),
  )
  const events = element(
    'section',
    { class: 'events', 'aria-labelledby': 'events-heading' },
    element(
      'div',
      { class: 'section-head' },
      element('h2', { id: 'events-heading' }, 'Events'),
      element('p', { class: 'log-note' }),
    ),
    element('ol', { class: 'log', tabindex: '0', 'aria-labelledby': 'events-heading' }),
  )
  return [head, plan, events]
}

function callTable() {
  const names = ['call', 'status', 'began', 'took', 'cost', 'note']
  const heads = names.map((name) => element('th', { scope: 'col' }, name))
  return element(
    'div',
    { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': 'Calls' },
    element('table', {}, element('thead', {}, element('tr', {}, ...heads)), element('tbody')),
  )
}

class SessionView {
  #main
  #chart
  /** @type {{ picture: SessionPicture, atMs: number } | undefined} */
  #shown
  /** @type {Map<string, string>} */
  #statuses = new Map()

  /** @param {HTMLElement} main */
  constructor(main) {
    this.#main = main
    this.#chart = new PlanChart(part(main, '.plan-section'))
    setInterval(() => this.#tick(), CLOCK_MS)
    addEventListener('resize', () => this.#draw())
    part(main, '.calls').addEventListener('toggle', () => this.#draw())
  }

  /** @param {SessionPicture} picture */
  take(picture) {
    this.#shown = { picture, atMs: performance.now() }
    this.#announce(picture)
    this.#draw()
  }

  /** @param {string | undefined} text */
  problem(text) {
    const target = part(this.#main, '.problem')
    target.hidden = text === undefined
    setText(target, text ?? '')
  }

  /** Only what runs changes with the clock. */
  #tick() {
    if (this.#shown !== undefined && !ENDED.has(this.#shown.picture.status)) this.#draw()
  }

  #draw() {
    if (this.#shown === undefined) return
    const { picture, atMs } = this.#shown
    const nowMs = picture.nowMs + performance.now() - atMs
    drawHead(this.#main, picture, nowMs)
    this.#chart.draw(picture, nowMs)
    const calls = part(this.#main, '.calls')
    if (calls.hasAttribute('open')) drawCalls(part(calls, 'tbody'), picture.calls, nowMs)
  }

  /** For those who do not see it: the session's state, and each item's. @param {SessionPicture} picture */
  #announce({ status, items }) {
    const first = this.#statuses.size === 0
    const now = [['The session', status], ...items.map((item) => [item.title, item.status])]
    const news = now.filter(([name = '', state]) => this.#statuses.get(name) !== state)
    this.#statuses = new Map(now.map(([name = '', state = '']) => [name, state]))
    const text = (first ? news.slice(0, 1) : news).map(([name, state]) => `${name}: ${state}`).join('. ')
    const target = document.getElementById('announcements')
    if (text !== '' && target !== null) setText(target, text)
  }
}

/** @param {HTMLElement} main @param {SessionPicture} picture @param {number} nowMs */
function drawHead(main, picture, nowMs) {
  const { status, task, totals, callCount, version, reason, waitsFor, forkedFrom } = picture
  setText(part(main, 'h1'), task)
  const title = `${sign(status)} ${task.slice(0, 60)} · duolog`
  if (document.title !== title) document.title = title
  const endMs = ENDED.has(status) ? picture.lastEventMs : nowMs
  const money = picture.maxUsd === undefined ? usd(totals.costUsd) : `${usd(totals.costUsd)} of ${usd(picture.maxUsd)}`
  const facts = [
    { name: 'status', text: `${sign(status)} ${status}` },
    {
      name: 'items',
      text: totals.workItems === 0 ? 'no plan yet' : `${totals.accepted} of ${totals.workItems} accepted`,
    },
    { name: 'calls', text: plural(callCount, 'call') },
    { name: 'cost', text: money },
    ...(version === 0 ? [] : [{ name: 'time', text: duration(endMs - picture.startedMs) }]),
    { name: 'events', text: plural(version, 'event') },
  ]
  keyed(part(main, '.facts'), facts, {
    key: ({ name }) => name,
    make: ({ name }) => element('span', { class: name === 'status' ? 'badge' : 'fact' }),
    update: (fact, { name, text }) => {
      setText(fact, text)
      if (name === 'status') setAttribute(fact, 'data-status', status)
    },
  })
  keyed(part(main, '.forked'), forkedFrom === undefined ? [] : [forkedFrom], {
    key: ({ sessionId }) => sessionId,
    make: ({ sessionId, version: at }) => element('span', {}, 'Forked from ', linkTo(sessionId), ` at version ${at}`),
    update: () => {},
  })
  const why = part(main, '.reason')
  why.hidden = reason === undefined
  setText(why, reason ?? '')
  setAttribute(why, 'data-status', status)
  keyed(part(main, '.waits'), waitsFor, {
    key: ({ command }) => command,
    make: () => element('li', {}, element('span'), element('code')),
    update: (wait, { text, command }) => {
      setText(part(wait, 'span'), text)
      setText(part(wait, 'code'), command)
    },
  })
}

/** @param {string} sessionId */
function linkTo(sessionId) {
  return element('a', { href: `/sessions/${encodeURIComponent(sessionId)}` }, element('code', {}, sessionId))
}

/** @param {HTMLElement} body @param {readonly PictureCall[]} calls @param {number} nowMs */
function drawCalls(body, calls, nowMs) {
  keyed(body, calls, {
    key: ({ callId }) => callId,
    make: () => element('tr', {}, ...Array.from({ length: 6 }, () => element('td'))),
    update: (row, call) => {
      const { workItemId, status, startMs, endMs, costUsd, error } = call
      const took = startMs === undefined ? '' : duration((endMs ?? nowMs) - startMs)
      const name = `${workItemId ?? 'session'}: ${nameOf(call)}`
      const texts = [
        name,
        `${sign(status)} ${status}`,
        startMs === undefined ? '' : clock(startMs),
        took,
        usd(costUsd),
        error ?? '',
      ]
      texts.forEach((text, index) => {
        const cell = row.children[index]
        if (cell !== undefined) setText(cell, text)
      })
    },
  })
}
