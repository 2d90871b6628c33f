import type { SessionAction } from './actions.ts'
import { fateOf, whyFailed } from './call-fate.ts'
import type { QualityGate } from './gate-settings.ts'
import { callById, failuresUpTo, type GateRound, type SessionState } from './state.ts'

/* P1: pure. All gates of a round are evaluated side by side; nothing follows from one before all are in. */

/** The gates of this scope that have no outcome yet. */
export function unsettledGates(state: SessionState, round: GateRound, scope: QualityGate['scope']): QualityGate[] {
  return state.settings.gates.filter((gate) => gate.scope === scope && !round.gates.has(gate.gateId))
}

export function nextForGates(state: SessionState, round: GateRound, workItemId?: string): readonly SessionAction[] {
  const scope = workItemId === undefined ? 'session' : 'work-item'
  return unsettledGates(state, round, scope).flatMap((gate) => nextForGate(state, round, gate, workItemId))
}

function nextForGate(
  state: SessionState,
  round: GateRound,
  gate: QualityGate,
  workItemId: string | undefined,
): readonly SessionAction[] {
  const call = callById(state, round.gateCallIds.get(gate.gateId))
  const evaluate = {
    kind: 'evaluate-gate',
    gateId: gate.gateId,
    paid: gate.reviewer !== undefined,
    ...(workItemId !== undefined && { workItemId }),
  } as const
  const fate = fateOf(state, call)
  if (call === undefined) return [evaluate]
  if (fate === 'pending') return []
  const unusable = fate === 'done'
  const mayAskAgain = fate === 'again' || (unusable && failuresUpTo(call) < state.settings.maxCallAttempts)
  if (mayAskAgain) return [{ ...evaluate, again: call }]
  const why = unusable ? `its answer was no verdict: ${errorsOf(round, gate)}` : whyFailed(call)
  return [giveUp(gate, call, why)]
}

function errorsOf({ gateErrors }: GateRound, { gateId }: QualityGate): string {
  return gateErrors.get(gateId)?.join('; ') ?? 'no reason recorded'
}

function giveUp({ gateId, mandatory }: QualityGate, call: SessionActionCall, why: string): SessionAction {
  const reason = `Gate "${gateId}" could not be run: ${why}`
  if (!mandatory) return { kind: 'skip-gate', call, reason }
  const { workItemId } = call
  return workItemId === undefined ? { kind: 'fail', reason } : { kind: 'fail-item', workItemId, reason }
}

type SessionActionCall = Extract<SessionAction, { kind: 'skip-gate' }>['call']

/** Why mandatory gates reject, with their evidence. */
export function failedGates({ gates }: GateRound): string[] {
  return [...gates.values()]
    .filter((gate) => gate.mandatory && !gate.passed)
    .map((gate) => [`Gate "${gate.gateId}" failed: ${whyGate(gate)}`, gate.evidence].filter(Boolean).join('\n'))
}

function whyGate({
  explanation,
  score,
  minScore,
}: Parameters<typeof describeScore>[0] & { explanation: string }): string {
  return [explanation, ...describeScore({ score, ...(minScore !== undefined && { minScore }) })].join(' ')
}

function describeScore({ score, minScore = 0 }: { score: number; minScore?: number | undefined }): string[] {
  return score < minScore ? [`(its score ${score} is below the threshold ${minScore})`] : []
}
