/** $0.00, $1.24; below a cent with four decimals, so that small costs do not look free. */
export function formatUsd(costUsd: number): string {
  return costUsd > 0 && costUsd < 0.01 ? `$${costUsd.toFixed(4)}` : `$${costUsd.toFixed(2)}`
}

const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS

/** 840ms, 4.2s, 3m 07s, 2h 05m: never rounded up. */
export function formatDuration(durationMs: number): string {
  const ms = Math.max(0, Math.floor(durationMs))
  if (ms < SECOND_MS) return `${ms}ms`
  if (ms < MINUTE_MS) return `${(Math.floor(ms / 100) / 10).toFixed(1)}s`
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)}m ${twoDigits((ms % MINUTE_MS) / SECOND_MS)}s`
  return `${Math.floor(ms / HOUR_MS)}h ${twoDigits((ms % HOUR_MS) / MINUTE_MS)}m`
}

/** 1 attempt, 2 attempts */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function twoDigits(value: number): string {
  return String(Math.floor(value)).padStart(2, '0')
}
