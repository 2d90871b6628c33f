import { type CallState, isOpen } from './state.ts'
import { EMPTY_TALLY, micro, type Tally } from './tally.ts'

/** What a call counts for in a budget. One in doubt counts as its whole reservation until somebody knows better. */
export function tallyOf(call: CallState): Tally {
  const neverBegun = call.status === 'cancelled' && (call.epoch === 0 || call.unbegun === true)
  if (call.role === 'gate' || call.inherited || neverBegun) return EMPTY_TALLY
  if (isOpen(call)) return held(call)
  return call.status === 'in-doubt' && !call.lateReport ? assumed(call) : spent(call)
}

function held({ reservedUsd = 0, reservedTokens = 0, reservedTurns = 0 }: CallState): Tally {
  return { ...EMPTY_TALLY, calls: 1, reservedMicroUsd: micro(reservedUsd), reservedTokens, reservedTurns }
}

function assumed({ reservedUsd = 0, reservedTokens: tokens = 0, reservedTurns: turns = 0 }: CallState): Tally {
  return { ...EMPTY_TALLY, calls: 1, microUsd: micro(reservedUsd), tokens, turns }
}

function spent({ costUsd, result, usage }: CallState): Tally {
  const { inputTokens = 0, outputTokens = 0, turns = 1 } = result?.usage ?? usage ?? {}
  return { ...EMPTY_TALLY, calls: 1, microUsd: micro(costUsd), tokens: inputTokens + outputTokens, turns }
}
