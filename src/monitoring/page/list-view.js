import { element, keyed, part, setAttribute, setText } from './elements.js'
import { ago, plural, sign, usd } from './formats.js'

/** @typedef {import('../session-list.ts').ListedSession} ListedSession */

const LOOK_MS = 2000

/** The sessions, the newest first; looked up again every two seconds while somebody sees them. @param {HTMLElement} main @param {(state: string) => void} showState */
export function showList(main, showState) {
  document.title = 'Sessions · duolog'
  main.replaceChildren(
    element('h1', {}, 'Sessions'),
    element('p', { class: 'list-note' }, 'Looking …'),
    element('ul', { class: 'sessions' }),
  )
  const look = async () => {
    if (document.visibilityState === 'visible') await refresh(main, showState)
    setTimeout(() => void look(), LOOK_MS)
  }
  void look()
}

/** @param {HTMLElement} main @param {(state: string) => void} showState */
async function refresh(main, showState) {
  try {
    const answer = await fetch('/api/sessions')
    if (!answer.ok) throw new Error((await answer.text()).trim())
    draw(main, await answer.json())
    showState('live')
  } catch (error) {
    showState('reconnecting')
    if (error instanceof Error && error.name !== 'TypeError') setText(part(main, '.list-note'), error.message)
  }
}

/** @param {HTMLElement} main @param {import('../session-list.ts').SessionList} list */
function draw(main, { sessions, more }) {
  const count = more
    ? `The newest ${sessions.length}; all of them with: duolog sessions`
    : plural(sessions.length, 'session')
  setText(part(main, '.list-note'), sessions.length === 0 ? 'None yet. Start one with: duolog run "<task>"' : count)
  keyed(part(main, '.sessions'), sessions, { key: ({ sessionId }) => sessionId, make: makeRow, update: updateRow })
}

/** @param {ListedSession} session */
function makeRow({ sessionId }) {
  const link = element('a', { class: 'session-link', href: `/sessions/${encodeURIComponent(sessionId)}` })
  const name = element('div', { class: 'session-name' }, link, element('code', {}, sessionId))
  const done = element(
    'div',
    { class: 'progress' },
    element('span', { class: 'progress-text' }),
    element('span', { class: 'progress-track', 'aria-hidden': 'true' }, element('span', { class: 'progress-done' })),
  )
  return element(
    'li',
    {},
    element('span', { class: 'badge' }),
    name,
    done,
    element('span', { class: 'cost' }),
    element('span', { class: 'when' }),
  )
}

/** @param {HTMLElement} row @param {ListedSession} session */
function updateRow(row, { status, task, workItems, accepted, costUsd, events, lastEventAt }) {
  const badge = part(row, '.badge')
  setText(badge, `${sign(status)} ${status}`)
  setAttribute(badge, 'data-status', status)
  setText(part(row, '.session-link'), task)
  setText(part(row, '.progress-text'), workItems === 0 ? 'no plan yet' : `${accepted} of ${plural(workItems, 'item')}`)
  part(row, '.progress-done').style.width = `${workItems === 0 ? 0 : (accepted / workItems) * 100}%`
  setText(part(row, '.cost'), usd(costUsd))
  const when = part(row, '.when')
  setText(when, `${ago(Date.parse(lastEventAt), Date.now())} · ${plural(events, 'event')}`)
  setAttribute(when, 'title', new Date(lastEventAt).toLocaleString())
}
