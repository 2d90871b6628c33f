/** $0.00; below a cent with four decimals, so that small costs do not look free. @param {number} costUsd */
export function usd(costUsd) {
  return costUsd > 0 && costUsd < 0.01 ? `$${costUsd.toFixed(4)}` : `$${costUsd.toFixed(2)}`
}

/** 840 ms, 4.2 s, 3 min 7 s, 2 h 5 min @param {number} durationMs */
export function duration(durationMs) {
  const ms = Math.max(0, Math.floor(durationMs))
  if (ms < 1000) return `${ms} ms`
  const seconds = Math.floor(ms / 1000)
  if (seconds < 60) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`
  return `${Math.floor(hours / 24)} days`
}

/** How long ago, roughly. @param {number} atMs @param {number} nowMs */
export function ago(atMs, nowMs) {
  const seconds = Math.max(0, Math.round((nowMs - atMs) / 1000))
  if (seconds < 5) return 'just now'
  if (seconds < 60) return `${seconds} s ago`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h ago`
  return `${Math.floor(seconds / 86_400)} days ago`
}

/** @param {number} count @param {string} noun */
export function plural(count, noun) {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`
}

/** The time of day here. @param {number} atMs */
export function clock(atMs) {
  return new Date(atMs).toLocaleTimeString('en-GB')
}

/** A sign for those who see no colour. @param {string} status */
export function sign(status) {
  return SIGNS.get(status) ?? '·'
}

const SIGNS = new Map([
  ['planned', '○'],
  ['reserved', '○'],
  ['planning', '◐'],
  ['running', '◐'],
  ['claimed', '◐'],
  ['working', '◐'],
  ['checking', '◐'],
  ['reviewing', '◐'],
  ['accepted', '✓'],
  ['completed', '✓'],
  ['failed', '✗'],
  ['cancelled', '⊘'],
  ['blocked', '!'],
  ['waiting', '!'],
  ['paused', 'Ⅱ'],
  ['in-doubt', '?'],
  ['unreadable', '?'],
])
