import { type GateOutcome, type GateRound, itemById, type SessionState } from './state.ts'

/* P1: pure. The gates of an attempt at a work item and those of the session's result are folded alike. */

/** Of every work item without gates: never changed, and thousands of them are the same. */
const none: Omit<GateRound, 'attempt'> = { gateCallIds: new Map(), gates: new Map(), gateErrors: new Map() }

export function newGateRound(attempt: number): GateRound {
  return { attempt, ...none }
}

export function gateRoundOf(state: SessionState, workItemId: string | undefined): GateRound {
  return workItemId === undefined ? state.sessionGates : itemById(state, workItemId)
}

export function changeGates(
  state: SessionState,
  workItemId: string | undefined,
  change: (round: GateRound) => Omit<GateRound, 'attempt'>,
): SessionState {
  if (workItemId === undefined)
    return { ...state, sessionGates: { ...state.sessionGates, ...change(state.sessionGates) } }
  const item = itemById(state, workItemId)
  return { ...state, workItems: state.workItems.with(item.id, { ...item, ...change(item) }) }
}

/** What is said of an attempt that is not the present one changes nothing. */
export function inAttempt(attempt: number, change: (round: GateRound) => Omit<GateRound, 'attempt'>): typeof change {
  return (round) => (round.attempt === attempt ? change(round) : round)
}

/** What the session's gates said is no longer of the result there is: they look at it again. */
export function forgetGates(state: SessionState): SessionState {
  const { attempt, gateCallIds } = state.sessionGates
  return gateCallIds.size === 0 ? state : { ...state, sessionGates: newGateRound(attempt + 1) }
}

export function withGateCall(round: GateRound, gateId: string, callId: string): Omit<GateRound, 'attempt'> {
  return { ...parts(round), gateCallIds: new Map(round.gateCallIds).set(gateId, callId) }
}

export function withGateOutcome(round: GateRound, outcome: GateOutcome): Omit<GateRound, 'attempt'> {
  return { ...parts(round), gates: new Map(round.gates).set(outcome.gateId, outcome) }
}

export function withGateErrors(
  round: GateRound,
  gateId: string,
  errors: readonly string[],
): Omit<GateRound, 'attempt'> {
  return { ...parts(round), gateErrors: new Map(round.gateErrors).set(gateId, errors) }
}

function parts({ gateCallIds, gates, gateErrors }: GateRound): Omit<GateRound, 'attempt'> {
  return { gateCallIds, gates, gateErrors }
}
