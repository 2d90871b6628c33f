import { type CallState, isOpen } from './state.ts'
import { EMPTY_TALLY, micro, type Tally } from './tally.ts'

/**
 * What a call counts for in a budget. What nobody knows (it is in doubt, was killed, or its executor does not say) counts
 * as its reservation until somebody knows better: a limit is never passed by calls that tell nothing.
 */
export function tallyOf(call: CallState): Tally {
  const neverBegun = call.status === 'cancelled' && (call.epoch === 0 || call.unbegun === true)
  if (call.role === 'gate' || call.inherited || neverBegun) return EMPTY_TALLY
  if (isOpen(call)) return held(call)
  return { ...EMPTY_TALLY, calls: 1, microUsd: usdOf(call), tokens: tokensOf(call), turns: turnsOf(call) }
}

function held({ reservedUsd = 0, reservedTokens = 0, reservedTurns = 0 }: CallState): Tally {
  return { ...EMPTY_TALLY, calls: 1, reservedMicroUsd: micro(reservedUsd), reservedTokens, reservedTurns }
}

/** Nobody has reported on it. */
function isUnheard({ status, lateReport }: CallState): boolean {
  return status === 'in-doubt' && lateReport !== true
}

function usdOf(call: CallState): number {
  const { costUsd, costUnknown, reservedUsd = 0 } = call
  const isKnown = !isUnheard(call) && costUnknown !== true
  return micro(isKnown ? costUsd : Math.max(costUsd, reservedUsd))
}

function tokensOf(call: CallState): number {
  const { inputTokens, outputTokens, incomplete } = call.result?.usage ?? call.usage ?? {}
  const { reservedTokens = 0 } = call
  if (inputTokens === undefined && outputTokens === undefined) return reservedTokens
  return Math.max((inputTokens ?? 0) + (outputTokens ?? 0), incomplete ? reservedTokens : 0)
}

/** A call that completed without saying how many rounds it took, took one. */
function turnsOf(call: CallState): number {
  const { turns, incomplete } = call.result?.usage ?? call.usage ?? {}
  if (turns !== undefined) return Math.max(turns, incomplete ? (call.reservedTurns ?? 0) : 0)
  return call.status === 'completed' ? 1 : (call.reservedTurns ?? 1)
}
