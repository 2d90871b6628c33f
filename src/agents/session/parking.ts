import { type CallState, callById, isOpen, type SessionState } from './state.ts'

/* P1: pure. A rate limit parks the calls of a role, and those of the other role where it asks the same model. */

type Roles = 'manager' | 'worker'

/** Until when calls of this role wait; ISO time, past or to come. */
export function parkedUntil({ parkedUntil: parked = {}, settings }: SessionState, role: Roles): string | undefined {
  const isSameModel = settings.models.manager === settings.models.worker
  return laterOf(parked[role], isSameModel ? parked[role === 'manager' ? 'worker' : 'manager'] : undefined)
}

/** When an open call may begin, where a limit holds it back. */
export function notBeforeOf(state: SessionState, call: CallState): string | undefined {
  if (!isOpen(call)) return undefined
  return laterOf(call.notBefore, call.role === 'gate' ? undefined : parkedUntil(state, call.role))
}

export function withParked(state: SessionState, callId: string, retryAt: string | undefined): SessionState {
  const role = callById(state, callId)?.role
  if (retryAt === undefined || role === undefined || role === 'gate') return state
  const until = laterOf(state.parkedUntil?.[role], retryAt)!
  return { ...state, parkedUntil: { ...state.parkedUntil, [role]: until } }
}

/** A call that had waited went through: the limit is lifted. */
export function withoutParked(state: SessionState, callId: string): SessionState {
  const { parkedUntil: parked, ...rest } = state
  const call = callById(state, callId)
  if (parked === undefined || call?.notBefore === undefined || call.role === 'gate') return state
  const until = parkedUntil(state, call.role)
  return until !== undefined && call.notBefore >= until ? rest : state
}

export function laterOf(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return a > b ? a : b
}
