/** Sums over calls; micro-dollars, so that ten calls of 0.1 cost 1. */
export interface Tally {
  readonly microUsd: number
  readonly reservedMicroUsd: number
  readonly calls: number
  readonly tokens: number
  readonly reservedTokens: number
  readonly turns: number
  readonly reservedTurns: number
}

export const EMPTY_TALLY: Tally = {
  microUsd: 0,
  reservedMicroUsd: 0,
  calls: 0,
  tokens: 0,
  reservedTokens: 0,
  turns: 0,
  reservedTurns: 0,
}

export function micro(usd: number): number {
  return Math.round(usd * 1e6)
}

export function plus(a: Tally, b: Tally, sign: 1 | -1 = 1): Tally {
  return {
    microUsd: a.microUsd + sign * b.microUsd,
    reservedMicroUsd: a.reservedMicroUsd + sign * b.reservedMicroUsd,
    calls: a.calls + sign * b.calls,
    tokens: a.tokens + sign * b.tokens,
    reservedTokens: a.reservedTokens + sign * b.reservedTokens,
    turns: a.turns + sign * b.turns,
    reservedTurns: a.reservedTurns + sign * b.reservedTurns,
  }
}
