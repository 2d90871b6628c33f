import { element, keyed, part, setAttribute, setText } from './elements.js'
import { duration, sign, usd } from './formats.js'
import { timeScale } from './time-scale.js'

/*
 * The plan beside a time line: a row for each work item, a bar for each call. What still runs grows with the clock.
 */

/**
 * @typedef {import('../session-picture.ts').SessionPicture} SessionPicture
 * @typedef {import('../session-picture.ts').PictureItem} PictureItem
 * @typedef {import('../session-picture.ts').PictureCall} PictureCall
 * @typedef {import('./time-scale.js').TimeScale} TimeScale
 * @typedef {{ key: string, item: PictureItem | undefined, calls: DrawnCall[], scale: TimeScale, laneWidth: number }} Row
 * @typedef {PictureCall & { fromMs: number, toMs: number, level: number, running: boolean }} DrawnCall
 */

const LEVEL_PX = 24
/** A letter and the edges of a bar take so much. */
const LETTER_PX = 6.6
const EDGES_PX = 14

export class PlanChart {
  #rows
  #axis

  /** @param {HTMLElement} section */
  constructor(section) {
    this.#rows = part(section, '.plan')
    this.#axis = part(section, '.axis-lane')
  }

  /** @param {SessionPicture} picture @param {number} nowMs */
  draw(picture, nowMs) {
    const calls = picture.calls.flatMap((call) => drawn(call, nowMs))
    const endMs = calls.some(({ running }) => running) ? nowMs : picture.lastEventMs
    const whole = { startMs: picture.startedMs, endMs: Math.max(endMs, picture.startedMs + 1) }
    const scale = timeScale(
      whole,
      calls.map(({ fromMs, toMs }) => ({ startMs: fromMs, endMs: toMs })),
    )
    const laneWidth = this.#axis.clientWidth
    const own = calls.filter(({ workItemId }) => workItemId === undefined)
    const rows = picture.items.map((item) => ({
      ...{ key: `item ${item.id}`, item, scale, laneWidth },
      calls: stacked(calls.filter(({ workItemId }) => workItemId === item.id)),
    }))
    const first = { key: 'session', item: undefined, calls: stacked(own), scale, laneWidth }
    keyed(this.#rows, [first, ...rows], { key: ({ key }) => key, make: makeRow, update: updateRow })
    drawAxis(this.#axis, scale)
  }
}

/** @param {PictureCall} call @param {number} nowMs @returns {DrawnCall[]} */
function drawn(call, nowMs) {
  if (call.startMs === undefined) return []
  const running = call.status === 'claimed'
  const toMs = call.endMs ?? (running ? nowMs : call.startMs)
  // Clocks of several writers need not agree.
  return [{ ...call, running, fromMs: call.startMs, toMs: Math.max(call.startMs, toMs), level: 0 }]
}

/** Calls at one time lie one below the other. @param {DrawnCall[]} calls */
function stacked(calls) {
  /** @type {number[]} */
  const ends = []
  return calls
    .toSorted((a, b) => a.fromMs - b.fromMs)
    .map((call) => {
      const free = ends.findIndex((endMs) => endMs <= call.fromMs)
      const level = free === -1 ? ends.length : free
      ends[level] = call.toMs
      return { ...call, level }
    })
}

/** @param {Row} row */
function makeRow(row) {
  const head = element(
    'p',
    { class: 'item-head' },
    element('span', { class: 'sign', 'aria-hidden': 'true' }),
    element('span', { class: 'item-title' }),
  )
  const facts = element('p', { class: 'item-facts' })
  const gates = element('ul', { class: 'gates', 'aria-label': 'Quality gates' })
  const note = element('p', { class: 'item-note' })
  const text = element('div', { class: 'item' }, head, facts, gates, note)
  const lane = element('div', { class: 'lane', role: 'img' }, element('div', { class: 'bars' }))
  return element('li', { class: row.item === undefined ? 'row session-row' : 'row' }, text, lane)
}

/** @param {HTMLElement} target @param {Row} row */
function updateRow(target, row) {
  const { item, calls } = row
  setAttribute(target, 'data-status', item?.status ?? 'session')
  setText(part(target, '.sign'), item === undefined ? '' : sign(item.status))
  setText(part(target, '.item-title'), item?.title ?? 'The session itself')
  setText(part(target, '.item-facts'), item === undefined ? 'plans and final checks' : factsOf(item))
  setText(part(target, '.item-note'), item?.note ?? '')
  keyed(part(target, '.gates'), item?.gates ?? [], {
    key: ({ id }) => id,
    make: () => element('li'),
    update: (chip, { id, passed, text }) => {
      setText(chip, `${passed ? '✓' : '✗'} ${id}`)
      setAttribute(chip, 'data-passed', String(passed))
      setAttribute(chip, 'title', text)
    },
  })
  const lane = part(target, '.lane')
  setAttribute(lane, 'aria-label', laneInWords(calls))
  const levels = Math.max(1, ...calls.map(({ level }) => level + 1))
  lane.style.setProperty('--lane-height', `${levels * LEVEL_PX}px`)
  keyed(part(lane, '.bars'), calls, {
    key: ({ callId }) => callId,
    make: makeBar,
    update: (bar, call) => updateBar(bar, call, row),
  })
}

/** @param {PictureItem} item */
function factsOf({ id, status, attempts, revisions, costUsd, qualityScore, dependencies }) {
  const waits = attempts === 0 && dependencies.length > 0 ? [`after ${dependencies.join(', ')}`] : []
  const tries = attempts === 0 ? [] : [`attempt ${attempts}`]
  const again = revisions === 0 ? [] : [`sent back ${revisions} ×`]
  const score = qualityScore === undefined ? [] : [`quality ${Math.round(qualityScore * 100)} %`]
  const cost = costUsd === 0 ? [] : [usd(costUsd)]
  return [id, status, ...waits, ...tries, ...again, ...score, ...cost].join(' · ')
}

function makeBar() {
  return element('span', { class: 'bar' }, element('span', { class: 'bar-label' }))
}

/** @param {HTMLElement} bar @param {DrawnCall} call @param {Row} row */
function updateBar(bar, call, { scale, laneWidth }) {
  const from = scale.position(call.fromMs)
  const width = scale.position(call.toMs) - from
  bar.style.left = `${(from * 100).toFixed(3)}%`
  bar.style.width = `${(width * 100).toFixed(3)}%`
  bar.style.top = `${call.level * LEVEL_PX}px`
  setAttribute(bar, 'data-purpose', call.purpose)
  setAttribute(bar, 'data-status', call.status)
  setAttribute(bar, 'title', callInWords(call))
  setAttribute(bar, 'data-rejected', String(call.rejects === true))
  setText(part(bar, '.bar-label'), labelOf(call, width * laneWidth))
}

/** As much as fits. @param {DrawnCall} call @param {number} widthPx */
function labelOf(call, widthPx) {
  const fine = call.rejects !== true && (call.status === 'completed' || call.status === 'claimed')
  const mark = fine ? '' : sign(call.rejects === true ? 'failed' : call.status)
  const texts = [`${mark} ${nameOf(call)}`.trim(), mark]
  return texts.find((text) => text.length * LETTER_PX + EDGES_PX <= widthPx) ?? ''
}

/** @param {PictureCall} call */
export function nameOf({ purpose, gateId, attempt }) {
  if (gateId !== undefined) return gateId
  return attempt > 1 ? `${purpose} ${attempt}` : purpose
}

/** @param {DrawnCall} call */
function callInWords(call) {
  const { role, purpose, attempt, status, error, costUsd, fromMs, toMs } = call
  const who = role === 'gate' ? `gate ${call.gateId ?? ''}` : `${role}: ${purpose}`
  const spent = costUsd === 0 ? '' : `, ${usd(costUsd)}`
  const verdict = call.rejects === true ? ' and rejects' : ''
  return `${who}, attempt ${attempt}, ${status}${verdict}, ${duration(toMs - fromMs)}${spent}${error === undefined ? '' : `: ${error}`}`
}

/** @param {DrawnCall[]} calls */
function laneInWords(calls) {
  return calls.length === 0 ? 'No calls yet' : calls.map(callInWords).join('; ')
}

/** @param {HTMLElement} axis @param {TimeScale} scale */
function drawAxis(axis, { ticks, cuts }) {
  const marks = [
    ...ticks.map((tick) => ({ ...tick, kind: 'tick' })),
    ...cuts.map(({ at, label }) => ({ at, label: `⋯ ${label} idle`, kind: 'cut' })),
  ]
  keyed(axis, marks, {
    key: ({ kind, label }) => `${kind} ${label}`,
    make: () => element('span'),
    update: (mark, { at, label, kind }) => {
      setAttribute(mark, 'class', kind)
      setText(mark, label)
      mark.style.left = `${(at * 100).toFixed(3)}%`
    },
  })
}
