import { duration } from './formats.js'

/*
 * Where a moment is on the time line, from 0 to 1. Work takes seconds or minutes; a session may then lie for a night.
 * Long stretches in which nothing ran are drawn as a narrow cut, so that the work stays readable.
 */

/** A cut is so wide, of the whole. */
const CUT_SHARE = 0.03
/** An idle stretch longer than this, and than this share of the work, is cut. */
const CUT_FROM_MS = 20_000
const CUT_FROM_SHARE = 0.25
const STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400]
const MAX_TICKS = 6
const MIN_TICK_DISTANCE = 0.1

/**
 * @typedef {{ startMs: number, endMs: number }} Stretch
 * @typedef {{ position(atMs: number): number, ticks: { at: number, label: string }[], cuts: { at: number, label: string }[] }} TimeScale
 */

/**
 * @param {Stretch} whole
 * @param {readonly Stretch[]} busy
 * @returns {TimeScale}
 */
export function timeScale(whole, busy) {
  const pieces = weighed(piecesOf(whole, merged(busy)))
  const position = (/** @type {number} */ atMs) => positionIn(pieces, atMs)
  const cuts = pieces
    .filter((piece) => piece.cut)
    .map(({ startMs, endMs, from, weight }) => ({ at: from + weight / 2, label: duration(endMs - startMs) }))
  return { position, cuts, ticks: ticksOf(whole, pieces, position) }
}

/** @param {readonly Stretch[]} stretches @returns {Stretch[]} */
function merged(stretches) {
  /** @type {Stretch[]} */
  const together = []
  for (const { startMs, endMs } of stretches.toSorted((a, b) => a.startMs - b.startMs)) {
    const last = together.at(-1)
    if (last !== undefined && startMs <= last.endMs) last.endMs = Math.max(last.endMs, endMs)
    else together.push({ startMs, endMs })
  }
  return together
}

/**
 * The whole as stretches that are drawn in full and stretches that are cut.
 *
 * @param {Stretch} whole
 * @param {readonly Stretch[]} busy
 */
function piecesOf({ startMs, endMs }, busy) {
  const worked = busy.reduce((sum, stretch) => sum + stretch.endMs - stretch.startMs, 0)
  const cutFromMs = Math.max(CUT_FROM_MS, worked * CUT_FROM_SHARE)
  const pieces = []
  let from = startMs
  let reached = startMs
  for (const next of [...busy, { startMs: endMs, endMs }]) {
    if (next.startMs - reached > cutFromMs) {
      if (reached > from) pieces.push({ startMs: from, endMs: reached, cut: false })
      pieces.push({ startMs: reached, endMs: next.startMs, cut: true })
      from = next.startMs
    }
    reached = Math.max(reached, next.endMs)
  }
  if (reached > from || pieces.length === 0)
    pieces.push({ startMs: from, endMs: Math.max(reached, from + 1), cut: false })
  return pieces
}

/** @param {ReturnType<typeof piecesOf>} pieces */
function weighed(pieces) {
  const cuts = pieces.filter(({ cut }) => cut).length
  const full = pieces.length - cuts
  const cutWeight = full === 0 ? 1 / cuts : Math.min(CUT_SHARE, 0.3 / Math.max(1, cuts))
  const shownMs = pieces.reduce((sum, piece) => sum + (piece.cut ? 0 : piece.endMs - piece.startMs), 0)
  let from = 0
  return pieces.map((piece) => {
    const share = (piece.endMs - piece.startMs) / Math.max(1, shownMs)
    const weight = piece.cut ? cutWeight : share * (1 - cuts * cutWeight)
    from += weight
    return { ...piece, weight, from: from - weight }
  })
}

/** @param {ReturnType<typeof weighed>} pieces @param {number} atMs */
function positionIn(pieces, atMs) {
  const piece = pieces.find(({ endMs }) => atMs <= endMs) ?? pieces.at(-1)
  if (piece === undefined) return 0
  const share = (atMs - piece.startMs) / Math.max(1, piece.endMs - piece.startMs)
  return Math.min(1, Math.max(0, piece.from + piece.weight * Math.min(1, Math.max(0, share))))
}

/**
 * @param {Stretch} whole
 * @param {ReturnType<typeof weighed>} pieces
 * @param {(atMs: number) => number} position
 */
function ticksOf({ startMs, endMs }, pieces, position) {
  const shownMs = pieces.reduce((sum, piece) => sum + (piece.cut ? 0 : piece.endMs - piece.startMs), 0)
  const stepMs = 1000 * (STEPS_S.find((step) => step * 1000 * MAX_TICKS >= shownMs) ?? 86_400)
  const ticks = []
  let last = -1
  for (const { startMs: from, endMs: to, cut } of pieces) {
    const first = Math.ceil((from - startMs) / stepMs)
    for (let count = first; !cut && startMs + count * stepMs <= Math.min(to, endMs); count++) {
      const at = position(startMs + count * stepMs)
      if (at - last < MIN_TICK_DISTANCE || at > 0.93) continue
      ticks.push({ at, label: count === 0 ? '0' : duration(count * stepMs).replace('.0 s', ' s') })
      last = at
    }
  }
  return ticks
}
